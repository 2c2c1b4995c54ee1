"""Making and ending contacts and blocks.

Every change locks the pair first, then reads, then changes: two changes of the same
pair at once happen one after the other, and the second sees what the first did. To
somebody who is blocked, the blocker is answered for exactly like nobody at all.
"""

from django.db import transaction
from django.utils import timezone

from accounts.feed import bump_feeds, lock_users
from accounts.models import User
from accounts.selectors import find_active_user
from chatbe.core.errors import Conflict, InvalidInput, NotFound
from contacts import selectors
from contacts.models import Block, Contact
from contacts.signals import pair_changed


@transaction.atomic
def add_contact(*, user: User, username: str) -> Contact:
    """Make the two each other's contacts and return the caller's side.

    InvalidInput for oneself; NotFound; Conflict for a contact, and for somebody the
    caller has blocked.
    """
    other = find_active_user(username)
    if other is None:
        raise NotFound
    if other.id == user.id:
        raise InvalidInput(fields={"username": "is your own"})
    lock_users([user.id, other.id])
    if not selectors.is_here_for(user.id, other.id):
        raise NotFound
    if selectors.has_blocked(user.id, other.id):
        raise Conflict("You have blocked this user. Unblock them first.")
    if Contact.objects.filter(owner=user, user=other).exists():
        raise Conflict("This user is already your contact.")
    now = timezone.now()
    mine = Contact(owner=user, user=other, created_at=now)
    Contact.objects.bulk_create([mine, Contact(owner=other, user=user, created_at=now)])
    _tell(Contact, user.id, other.id, may_talk=True)
    bump_feeds([user.id, other.id])
    return mine


@transaction.atomic
def remove_contact(*, user: User, other_id: int) -> None:
    """End the contact for both. NotFound if there is none."""
    lock_users([user.id, other_id])
    if not selectors.is_here_for(user.id, other_id) or not _delete_contact(user.id, other_id):
        raise NotFound
    _tell(Contact, user.id, other_id, may_talk=False)
    bump_feeds([user.id, other_id])


@transaction.atomic
def block_user(*, user: User, other_id: int) -> None:
    """Block a user and end a contact with them. InvalidInput for oneself.

    Silent about everything else: whoever was blocked may block back, or block an account
    that is gone, and learns from neither answer which of the two it was.
    """
    if other_id == user.id:
        raise InvalidInput("You cannot block yourself.")
    if other_id not in lock_users([user.id, other_id]):
        return
    if selectors.has_blocked(user.id, other_id):
        return
    were_contacts = _delete_contact(user.id, other_id)
    Block.objects.create(blocker=user, blocked_id=other_id, created_at=timezone.now())
    _tell(Block, user.id, other_id, may_talk=False)
    # Who was no contact must not be told that anything happened.
    bump_feeds([user.id, other_id] if were_contacts else [user.id])


@transaction.atomic
def unblock_user(*, user: User, other_id: int) -> None:
    """Take a block back, if there is one; the contact it ended stays ended."""
    lock_users([user.id, other_id])
    deleted, _ = Block.objects.filter(blocker=user, blocked_id=other_id).delete()
    if deleted:
        _tell(Block, user.id, other_id, may_talk=False)
        bump_feeds([user.id])


def _delete_contact(user_id: int, other_id: int) -> bool:
    mine = Contact.objects.filter(owner_id=user_id, user_id=other_id)
    theirs = Contact.objects.filter(owner_id=other_id, user_id=user_id)
    deleted, _ = (mine | theirs).delete()
    return bool(deleted)


def _tell(sender: type[Contact | Block], user_id: int, other_id: int, *, may_talk: bool) -> None:
    pair = (min(user_id, other_id), max(user_id, other_id))
    pair_changed.send(sender=sender, user_ids=pair, may_talk=may_talk)
