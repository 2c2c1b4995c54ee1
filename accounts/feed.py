"""The user feed: one number per user that grows with every change that concerns them.

The row of the user is also the lock under which such changes are made. Whoever needs
locks of several kinds takes them in this order: sessions, users, conversations, each
in the order of their ids.
"""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F

from accounts.models import User
from realtime import announce


def lock_users(user_ids: Iterable[int]) -> dict[int, User]:
    """Lock these users until the caller's transaction ends; return those that exist.

    Locking two users is how a pair is locked: contacts, blocks and direct conversations
    of the pair change only under it. What is read before it may be stale: read after.
    """
    if not transaction.get_connection().in_atomic_block:
        # SQLite would lock nothing and say nothing.
        raise transaction.TransactionManagementError("users are locked inside a transaction")
    # NO KEY: other transactions may go on inserting rows that point at the users.
    users = User.objects.filter(id__in=set(user_ids)).order_by("id")
    return {user.id: user for user in users.select_for_update(no_key=True)}


def bump_feeds(user_ids: Iterable[int]) -> None:
    """Move the feeds of these users in the caller's transaction, and tell them on commit."""
    feed_seqs = {user_id: user.feed_seq + 1 for user_id, user in lock_users(user_ids).items()}
    if not feed_seqs:
        return
    User.objects.filter(id__in=feed_seqs).update(feed_seq=F("feed_seq") + 1)

    transaction.on_commit(lambda: announce.users_changed(feed_seqs))
