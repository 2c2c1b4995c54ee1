"""What contacts tells higher apps."""

from django.dispatch import Signal

# Sent inside the transaction that changes anything between two users, under the lock of
# the pair (`accounts.feed.lock_users`), whenever a contact or block was made or removed.
# A receiver may take the lock of the pair's direct conversation and change who may post;
# what it raises undoes the change.
#
#   sender    the model that changed: Contact or Block
#   user_ids  tuple[int, int], the smaller id first
#   may_talk  bool, whether the two may write to each other from now on
pair_changed = Signal()
