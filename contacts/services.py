"""Making and ending contacts, requests and blocks.

Every change locks the pair first, then reads, then changes: two changes of the same
pair at once happen one after the other, and the second sees what the first did. To
somebody who is blocked, the blocker is answered for exactly like nobody at all.
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.feed import bump_feeds, lock_users
from accounts.models import User
from common.errors import Conflict, InvalidInput, NotFound, SessionEnded
from common.limits import window
from common.text import clean_line
from contacts import selectors
from contacts.models import ALIAS_MAX, Block, Contact, ContactRequest
from contacts.signals import pair_changed


def add_contact(*, user: User, username: str) -> tuple[Contact | ContactRequest, bool]:
    """Make the two each other's contacts, or ask the other first: see CONTACT_POLICY.

    Returns the caller's side, or their request, and whether this call made the contact.
    Two who ask each other are contacts; whoever is one already stays one. RateLimited,
    InvalidInput for oneself, NotFound, Conflict for somebody the caller has blocked.
    """
    window.hit(settings.CONTACT_REQUESTS_PER_USER, "contact-request", str(user.id))
    other = selectors.users_named_for(user.id, username).first()
    if other is None:
        raise NotFound
    if other.id == user.id:
        raise InvalidInput(fields={"username": "is your own"})
    return _add(user, other)


def _lock(user: User, other_id: int) -> dict[int, User]:
    """Lock the pair. SessionEnded for a caller who was deleted or deactivated meanwhile."""
    locked = lock_users([user.id, other_id])
    if not locked[user.id].is_active:
        raise SessionEnded
    return locked


@transaction.atomic
def _add(user: User, other: User) -> tuple[Contact | ContactRequest, bool]:
    _lock(user, other.id)
    if not selectors.is_here_for(user.id, other.id):
        raise NotFound
    if selectors.has_blocked(user.id, other.id):
        raise Conflict("You have blocked this user. Unblock them first.")
    contact = selectors.list_contacts(user.id).filter(user=other).first()
    if contact is not None:
        return contact, False
    # A bot has nothing against it.
    if settings.CONTACT_POLICY == "mutual" or other.is_bot or _has_asked(other.id, user.id):
        return _make_contact(user, other), True
    return _ask(user, other), False


def _has_asked(sender_id: int, receiver_id: int) -> bool:
    """Whether the sender still wants to be a contact, even if that was declined before."""
    return ContactRequest.objects.filter(
        sender_id=sender_id, receiver_id=receiver_id, withdrawn=False
    ).exists()


def _make_contact(user: User, other: User) -> Contact:
    _requests_between(user.id, other.id).delete()
    now = timezone.now()
    mine = Contact(owner=user, user=other, created_at=now)
    Contact.objects.bulk_create([mine, Contact(owner=other, user=user, created_at=now)])
    _tell(Contact, user.id, other.id)
    bump_feeds([user.id, other.id])
    return mine


def _ask(user: User, other: User) -> ContactRequest:
    """The request, new or not. Its sender cannot tell one that was declined from others."""
    now = timezone.now()
    known = ContactRequest.objects.filter(sender=user, receiver=other).first()
    declined_at = known.declined_at if known else None
    pause = timedelta(days=settings.CONTACT_REQUEST_PAUSE_DAYS)
    if declined_at is not None and declined_at + pause <= now:
        declined_at = None
    if known is None or known.withdrawn:
        # As old and as far down the list as any that is new.
        ContactRequest.objects.filter(sender=user, receiver=other).delete()
        request = ContactRequest.objects.create(
            sender=user, receiver=other, created_at=now, declined_at=declined_at
        )
        bump_feeds([user.id, other.id] if declined_at is None else [user.id])
        return request
    if known.declined_at != declined_at:
        known.declined_at = declined_at
        known.save(update_fields=["declined_at"])
        bump_feeds([other.id])
    return known


@transaction.atomic
def accept_request(*, user: User, other_id: int) -> tuple[Contact, bool]:
    """Become a contact of somebody who asked; False if they were one already. NotFound."""
    _lock(user, other_id)
    contact = selectors.list_contacts(user.id).filter(user_id=other_id).first()
    if contact is not None:
        return contact, False
    request = selectors.list_incoming(user.id).filter(sender_id=other_id).first()
    if request is None:
        raise NotFound
    return _make_contact(user, request.sender), True


@transaction.atomic
def decline_request(*, user: User, other_id: int) -> None:
    """Take a request out of one's list; its sender is not told. NotFound."""
    _lock(user, other_id)
    asked = selectors.list_incoming(user.id).filter(sender_id=other_id)
    if not asked.update(declined_at=timezone.now()):
        raise NotFound
    bump_feeds([user.id])


@transaction.atomic
def withdraw_request(*, user: User, other_id: int) -> None:
    """Take one's own request back. NotFound."""
    _lock(user, other_id)
    request = selectors.list_outgoing(user.id).filter(receiver_id=other_id).first()
    if request is None:
        raise NotFound
    _withdraw(ContactRequest.objects.filter(id=request.id))
    bump_feeds([user.id, other_id] if request.declined_at is None else [user.id])


def _withdraw(requests: QuerySet[ContactRequest]) -> None:
    requests.filter(declined_at=None).delete()
    requests.update(withdrawn=True)


def _requests_between(user_id: int, other_id: int) -> QuerySet[ContactRequest]:
    """The requests of a pair, in both directions."""
    pair = (user_id, other_id)
    return ContactRequest.objects.filter(sender_id__in=pair, receiver_id__in=pair)


@transaction.atomic
def set_alias(*, user: User, other_id: int, alias: str) -> Contact:
    """Call a contact something else in one's own list; empty ends that. InvalidInput, NotFound."""
    alias = alias and clean_line(alias, "alias", max_length=ALIAS_MAX)
    _lock(user, user.id)
    contact = selectors.list_contacts(user.id).filter(user_id=other_id).first()
    if contact is None:
        raise NotFound
    if contact.alias != alias:
        contact.alias = alias
        contact.save(update_fields=["alias"])
        bump_feeds([user.id])
    return contact


@transaction.atomic
def remove_contact(*, user: User, other_id: int) -> None:
    """End the contact for both. NotFound if there is none."""
    _lock(user, other_id)
    if not selectors.is_here_for(user.id, other_id) or not _delete_contact(user.id, other_id):
        raise NotFound
    _tell(Contact, user.id, other_id)
    bump_feeds([user.id, other_id])


@transaction.atomic
def block_user(*, user: User, other_id: int) -> None:
    """Block a user; a contact with them ends, requests are withdrawn. InvalidInput for oneself.

    Silent about everything else: whoever was blocked may block back, or block an account
    that is gone, and learns from neither answer which of the two it was.
    """
    if other_id == user.id:
        raise InvalidInput("You cannot block yourself.")
    if other_id not in _lock(user, other_id):
        return
    if selectors.has_blocked(user.id, other_id):
        return
    were_contacts = _delete_contact(user.id, other_id)
    _withdraw(_requests_between(user.id, other_id))
    Block.objects.create(blocker=user, blocked_id=other_id, created_at=timezone.now())
    _tell(Block, user.id, other_id)
    # Who was no contact must not be told that anything happened.
    bump_feeds([user.id, other_id] if were_contacts else [user.id])


@transaction.atomic
def unblock_user(*, user: User, other_id: int) -> None:
    """Take a block back, if there is one; the contact it ended stays ended."""
    _lock(user, other_id)
    deleted, _ = Block.objects.filter(blocker=user, blocked_id=other_id).delete()
    if deleted:
        _tell(Block, user.id, other_id)
        bump_feeds([user.id])


def _delete_contact(user_id: int, other_id: int) -> bool:
    mine = Contact.objects.filter(owner_id=user_id, user_id=other_id)
    theirs = Contact.objects.filter(owner_id=other_id, user_id=user_id)
    deleted, _ = (mine | theirs).delete()
    return bool(deleted)


def _tell(sender: type[Contact | Block], user_id: int, other_id: int) -> None:
    pair = (min(user_id, other_id), max(user_id, other_id))
    may_talk = selectors.may_talk(user_id, other_id)
    pair_changed.send(sender=sender, user_ids=pair, may_talk=may_talk)
