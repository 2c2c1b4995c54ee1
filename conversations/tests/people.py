"""Two friends at the REST door, and what tests of conversations do again and again."""

import uuid
from dataclasses import dataclass
from itertools import count

from django.db.models import F
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.rest import device_of, make_user
from contacts.services import add_contact
from conversations.log.pending_message import AppendResult, PendingMessage
from conversations.models import Conversation, Membership, Message
from conversations.services.direct import open_direct
from conversations.services.sending import draft_message

CONVERSATIONS = "/api/v1/conversations"

_numbers = count(1)


@dataclass(frozen=True)
class Friends:
    """Alice and Bob, a device of each, and their conversation."""

    alice: User
    bob: User
    phone: APIClient
    tablet: APIClient
    conversation_id: int

    @property
    def messages(self) -> str:
        return f"{CONVERSATIONS}/{self.conversation_id}/messages"


def make_friends() -> Friends:
    number = next(_numbers)
    alice, bob = make_user(f"alice.{number}"), make_user(f"bob.{number}")
    add_contact(user=alice, username=bob.username)
    conversation_id, _ = open_direct(user_id=alice.id, other_id=bob.id)
    return Friends(alice, bob, device_of(alice), device_of(bob), conversation_id)


def post(client, conversation_id, text="hello", *, client_id=None, **fields):
    """Send over REST; the answer."""
    body = {"client_id": client_id or uuid.uuid4().hex, "text": text, **fields}
    return client.post(f"{CONVERSATIONS}/{conversation_id}/messages", body)


def draft(
    sender: User, conversation_id: int, text="hello", *, client_id=None, reply_to=None
) -> PendingMessage:
    return draft_message(
        sender_id=sender.id,
        conversation_id=conversation_id,
        client_id=client_id or uuid.uuid4().hex,
        text=text,
        reply_to=reply_to,
    )


def codes(outcomes) -> list[str]:
    """ "stored", "known" or an error's code for each outcome."""
    return [
        ("stored" if outcome.created else "known")
        if isinstance(outcome, AppendResult)
        else outcome.code
        for outcome in outcomes
    ]


def head(conversation_id: int) -> int:
    return Conversation.objects.values_list("last_seq", flat=True).get(id=conversation_id)


def assert_gapless(conversation_id: int) -> None:
    """Places, numbers and counters of a log of texts agree with each other."""
    rows = Message.objects.filter(conversation_id=conversation_id).order_by("seq")
    places = list(rows.values_list("seq", "changed_seq", "number"))
    assert places == [(n, n, n) for n in range(1, len(places) + 1)]
    conversation = Conversation.objects.get(id=conversation_id)
    assert (conversation.last_seq, conversation.message_count) == (len(places), len(places))


def make_group(*users: User) -> int:
    """A conversation of these people, who were there from its beginning: its id."""
    group = Conversation.objects.create(kind="group")
    Membership.objects.bulk_create(Membership(conversation=group, user=user) for user in users)
    return group.id


def join(conversation_id: int, user: User, *, visible_from: int | None = None) -> None:
    """Let somebody in, or in again: everything so far is read, and seen from `visible_from`."""
    group = Conversation.objects.get(id=conversation_id)
    head = group.last_seq
    Membership.objects.update_or_create(
        conversation=group,
        user=user,
        defaults={
            "left_seq": None,
            "visible_from": visible_from or head + 1,
            "joined_seq": head,
            "read_seq": head,
            "read_number": group.message_count,
            "delivered_seq": head,
        },
    )


def leave(conversation_id: int, user: User) -> None:
    """Put somebody out at the log's present end."""
    Membership.objects.filter(conversation_id=conversation_id, user=user).update(
        left_seq=head(conversation_id)
    )


def delete_message(conversation_id: int, seq: int) -> None:
    """Leave a tombstone, whose deletion takes a position of its own."""
    Conversation.objects.filter(id=conversation_id).update(last_seq=F("last_seq") + 1)
    Message.objects.filter(conversation_id=conversation_id, seq=seq).update(
        text="", deleted_at=timezone.now(), changed_seq=head(conversation_id)
    )
