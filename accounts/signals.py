"""What accounts tells higher apps when somebody comes or goes: deleted, shut out, let in again.

What follows from it in a higher app happens in the same transaction. That takes the locks
of other users too, and all users are locked together in the order of their ids: so it is
asked first whom that will be.
"""

from django.dispatch import Signal

# Sent twice inside the transaction, before and after the locks are taken. A receiver
# returns the ids of the users whose feeds it will move; it changes nothing.
#
#   sender   the model User
#   user_id  int, the user who is about to come or go
user_coming_or_going = Signal()

# Sent inside the transaction, once the user's row says so. The user's sessions, the user
# and everybody named above are locked; a receiver moves the feeds of those users, and may
# take locks of conversations in the order of their ids. What it raises undoes it all.
#
#   sender     the model User
#   user_id    int, the user who was shut out or let in again
#   is_active  bool, which of the two
user_active_changed = Signal()

# Sent in the same way when the user's row is empty; a receiver also deletes its rows.
#
#   sender   the model User
#   user_id  int, the user who is deleted
user_deleted = Signal()
