"""What accounts tells higher apps when an account is deleted.

Whatever belongs to the account in a higher app goes in the same transaction. That
takes the locks of other users too, and all users are locked together in the order of
their ids: so it is asked first whom that will be.
"""

from django.dispatch import Signal

# Sent twice inside the transaction, before and after the locks are taken. A receiver
# returns the ids of the users whose feeds it will move; it changes nothing.
#
#   sender   the model User
#   user_id  int, the user who is about to be deleted
user_deleting = Signal()

# Sent inside the transaction, once the user's row is empty. The user's sessions, the user
# and everybody named above are locked; a receiver deletes its rows, moves the feeds of
# those users, and may take locks of conversations in the order of their ids. What it
# raises undoes the deletion.
#
#   sender   the model User
#   user_id  int, the user who is deleted
user_deleted = Signal()
