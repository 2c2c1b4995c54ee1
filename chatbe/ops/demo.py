"""People to try things with, a group of all of them, and what they say in it.

Everything is made once: run again, it adds what is missing.
"""

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.db import transaction

from accounts.feed import lock_users
from accounts.models import User
from accounts.names import username_key
from accounts.services import register_user
from common import secrets_file
from contacts.selectors import may_talk
from contacts.services import add_contact
from conversations.log.append import append_messages
from conversations.log.pending_message import AppendResult
from conversations.models import Conversation, Membership, Message
from conversations.services.members import add_members, lock_group
from conversations.services.sending import draft_message
from groups.models import History
from groups.services.groups import found_group

NAMES = ("alice", "bob", "carol")
# The name under which the crowd's password is kept; nobody may be called that.
CROWD = "demo*"
GROUP = "Demo"
BATCH = 250
_LINES = (
    *("Good morning, everybody.", "Has anyone seen the new plan?", "I have. It looks good to me."),
    *("Lunch at noon?", "Count me in.", "I am late, start without me.", "The demo went well!"),
)


def passwords_in(path: Path) -> dict[str, str]:
    """The demo people's passwords by name, made when first asked for."""
    known: dict[str, str] = {}
    if path.exists():
        known = dict(line.split() for line in path.read_text(encoding="utf-8").splitlines())
    missing = [name for name in (*NAMES, CROWD) if name not in known]
    if missing:
        known |= {name: f"{name.strip('*')}-{secrets.token_hex(4)}" for name in missing}
        secrets_file.replace(path, "".join(f"{name} {word}\n" for name, word in known.items()))
    return known


def make_people(count: int, passwords: dict[str, str]) -> list[User]:
    """The three, contacts of each other, and a crowd up to so many in all."""
    people = [_person(name, passwords[name]) for name in NAMES]
    for one in people:
        for other in people:
            # Two who ask each other are contacts, whatever the policy is.
            if one != other and not may_talk(one.id, other.id):
                add_contact(user=one, username=other.username)
    names = [f"demo{number}" for number in range(len(NAMES) + 1, count + 1)]
    return people + _crowd(names, passwords[CROWD])


def _person(name: str, password: str) -> User:
    user = User.objects.filter(username=name).first()
    return user or register_user(
        username=name,
        email=f"{name}@example.org",
        password=password,
        may_resemble_name=False,
    )


def _crowd(names: Sequence[str], password: str) -> list[User]:
    there = User.objects.filter(username__in=names)
    known = set(there.values_list("username", flat=True))
    # One hash for all of them: hashing is made to be slow.
    hashed = make_password(password)
    User.objects.bulk_create(
        [
            User(
                username=name,
                username_key=username_key(name),
                email=f"{name}@example.org",
                password=hashed,
            )
            for name in names
            if name not in known
        ],
        batch_size=BATCH,
        # Somebody else may be doing the same.
        ignore_conflicts=True,
    )
    return list(there.order_by("id"))


@transaction.atomic
def make_group(people: Sequence[User]) -> int:
    """The group of all of them, owned by the first; its id."""
    owner, ids = people[0], [person.id for person in people]
    # Nobody else makes it while the owner is locked.
    lock_users(ids)
    owned = Membership.objects.filter(
        user=owner,
        role=Membership.Role.OWNER,
        left_seq=None,
        conversation__kind=Conversation.Kind.GROUP,
        conversation__name=GROUP,
    )
    known = owned.order_by("conversation_id").first()
    if known is None:
        made = found_group(owner_id=owner.id, name=GROUP, member_ids=ids, history=History.ALL)
        return made.conversation_id
    group = lock_group(known.conversation_id, ids)
    add_members(group, actor_id=owner.id, user_ids=ids, share_history=True)
    return group.id


def say(group_id: int, people: Sequence[User], count: int) -> Iterator[int]:
    """Let them say so many things in turn, in all; yields how many of each batch are new."""
    said = Message.objects.filter(conversation_id=group_id, client_id__startswith="demo-")
    for first in range(said.count(), count, BATCH):
        outcomes = append_messages(
            [
                draft_message(
                    sender_id=people[number % len(people)].id,
                    conversation_id=group_id,
                    client_id=f"demo-{number}",
                    text=_LINES[number % len(_LINES)],
                    reply_to=None,
                )
                for number in range(first, min(first + BATCH, count))
            ]
        )
        yield sum(isinstance(outcome, AppendResult) and outcome.created for outcome in outcomes)
