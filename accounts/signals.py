"""What accounts tells higher apps when somebody comes or goes: deleted, deactivated, let in again.

The user's row says so at once, in a transaction that locks the user alone. What follows for
others comes after it, in batches (services/status_follow_up.py): somebody may have 10,000
contacts, and no transaction locks so many people.
"""

from django.dispatch import Signal

# Asked before the batches: who hears of it. A receiver returns ids of users and changes nothing.
#
#   sender   the model User
#   user_id  int, the user who came or went
user_status_changing = Signal()

# Sent for each batch, inside a transaction of its own, which has locked the user and these
# others and moves the others' feeds. A receiver makes what the user shares with them follow the
# user's row as it is now; doing that again changes nothing. It may lock conversations, in one
# statement in the order of their ids, then memberships.
#
#   sender     the model User
#   user       User, as the row is now
#   other_ids  frozenset[int], some of the users whom the receivers of the first signal named
user_status_changed = Signal()

# Sent inside the transaction that empties the user's row, which has locked their sessions and
# the user. A receiver deletes what concerns nobody else and takes none of the locks above.
#
#   sender   the model User
#   user_id  int, the user who is deleted
user_deleted = Signal()

# Sent after the last batch for somebody who was deleted, outside a transaction. A receiver takes
# the user out of what they were in, in transactions of its own, each of which may be the second.
#
#   sender   the model User
#   user_id  int, the user who was deleted
user_leaving = Signal()
