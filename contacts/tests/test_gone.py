"""To somebody blocked, the blocker is a deleted account, at every door (S6, S34).

The same story happens three times, to three viewers: the other person blocks the viewer,
or deletes their account, or never was anybody. Then each viewer knocks at every door
about them, and the answers are compared to the byte, with ids and times taken out.
"""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.rest import device_of, make_user
from accounts.tests.test_doors import doors_of
from common.ids import new_id
from contacts import urls
from contacts.tests.people import BLOCKS, CONTACTS, add, decline, empty
from conversations.tests.people import CONVERSATIONS, post

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("asking"),
    # Answers compared with each other: the database has no part in how they look.
    pytest.mark.embedded_only,
]

# Names of one length, as headers tell the length of answers.
BLOCKER, DELETED, NOBODY = "person.blocks", "person.delete", "person.nobody"

# Each door, at which the viewer asks about {id} and {name}: looks first, then what changes
# something, then the looks again.
Door = tuple[str, str, dict[str, Any] | None]
LOOKS: list[Door] = [
    ("get", "contacts", None),
    ("get", "contact-requests/incoming", None),
    ("get", "contact-requests/outgoing", None),
    ("get", "blocks", None),
    ("get", "users?username={name}", None),
    ("get", "users?prefix={name}", None),
    ("get", "users/{id}", None),
    ("get", "users/{id}/presence", None),
    ("get", "presence", None),
    ("get", "conversations", None),
    ("get", "private-messages", None),
    ("get", "private-messages/{id}", None),
]
CHANGES: list[Door] = [
    ("patch", "contacts/{id}", {"alias": "somebody"}),
    ("post", "contact-requests/incoming/{id}/accept", None),
    ("delete", "contact-requests/incoming/{id}", None),
    ("delete", "contact-requests/outgoing/{id}", None),
    ("post", "contacts", {"username": "{name}"}),
    ("delete", "contacts/{id}", None),
    ("post", "conversations/direct", {"user_id": "{id}"}),
    ("put", "blocks/{id}", None),
    ("put", "blocks/{id}", None),
    ("post", "contacts", {"username": "{name}"}),
    ("delete", "blocks/{id}", None),
    ("delete", "blocks/{id}", None),
    ("post", "contacts", {"username": "{name}"}),
]
# With a conversation, which both outlive.
IN_CONVERSATION: list[Door] = [
    ("get", "conversations/{conversation}", None),
    ("get", "conversations/{conversation}/messages", None),
    ("get", "conversations/{conversation}/messages/1", None),
    ("get", "conversations/{conversation}/changes?after=0", None),
    ("put", "conversations/{conversation}/receipt", {"read_seq": 2}),
    ("post", "conversations/{conversation}/messages", {"client_id": "late", "text": "there?"}),
]


@dataclass
class Meeting:
    """A viewer, and the person they are about to lose sight of."""

    viewer: User
    device: APIClient
    id: int
    name: str
    person: User | None = None
    theirs: APIClient | None = None
    conversation: str = ""

    def knock(self, method: str, path: str, body: dict | None) -> tuple:
        """The answer, without what differs between any two people."""
        words = {"id": self.id, "name": self.name, "conversation": self.conversation}
        filled = {name: value.format(**words) if isinstance(value, str) else value
                  for name, value in (body or {}).items()}  # fmt: skip
        answer = getattr(self.device, method)("/api/v1/" + path.format(**words), filled or None)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        headers.pop("x-request-id")
        text = answer.content.decode()
        known = {self.viewer.id: "viewer", self.id: "person", self.conversation: "conversation"}
        for id, word in known.items():
            text = text.replace(f'"{id}"', f'"<{word}>"')
        text = re.sub(r'"id":"\d+"', '"id":"<id>"', text)
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", text)
        return answer.status_code, headers, text


def no_relation(meeting):
    """They have never met."""


def asked(meeting):
    add(meeting.theirs, meeting.viewer.username)


def was_asked(meeting):
    add(meeting.device, meeting.name)


def declined(meeting):
    was_asked(meeting)
    decline(meeting.theirs, meeting.viewer)


def contacts(meeting):
    asked(meeting)
    was_asked(meeting)
    meeting.device.patch(f"{CONTACTS}/{meeting.id}", {"alias": "friend"})


def blocked_before(meeting):
    meeting.device.put(f"{BLOCKS}/{meeting.id}")


def conversation(meeting):
    contacts(meeting)
    opened = meeting.device.post(f"{CONVERSATIONS}/direct", {"user_id": str(meeting.id)})
    meeting.conversation = opened.json()["id"]
    for client, text in ((meeting.device, "hello"), (meeting.theirs, "hello yourself")):
        assert post(client, meeting.conversation, text, client_id=text[-5:]).status_code == 201


RELATIONS = [no_relation, asked, was_asked, declined, contacts, blocked_before, conversation]


def meet(name, relation):
    """A viewer and somebody of that name, with that relation between them."""
    viewer = make_user()
    meeting = Meeting(viewer, device_of(viewer), new_id(), name)
    if name != NOBODY:
        meeting.person = make_user(name, display_name="Some Body", about="hello")
        meeting.id, meeting.theirs = meeting.person.id, device_of(meeting.person)
        relation(meeting)
    return meeting


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_blocker_a_deleted_account_and_nobody_are_answered_for_alike(relation):
    blocker, deleted, nobody = (meet(name, relation) for name in (BLOCKER, DELETED, NOBODY))
    blocker.theirs.put(f"{BLOCKS}/{blocker.viewer.id}")
    empty(deleted.person)
    doors = LOOKS + CHANGES + LOOKS
    if relation is conversation:
        doors = LOOKS + IN_CONVERSATION + CHANGES + LOOKS + IN_CONVERSATION
    for door in doors:
        answer = blocker.knock(*door)
        assert answer == deleted.knock(*door), door
        if relation is not conversation:
            assert answer == nobody.knock(*door), door
        assert BLOCKER not in answer[2], door
        assert "Some Body" not in answer[2], door


def test_the_conversation_stays_and_its_peer_is_deleted():
    """So the comparison above has something to compare."""
    blocker = meet(BLOCKER, conversation)
    blocker.theirs.put(f"{BLOCKS}/{blocker.viewer.id}")
    gone = {
        "id": str(blocker.id),
        "username": "",
        "display_name": "",
        "deleted": True,
        "bot": False,
    }
    [listed] = blocker.device.get(CONVERSATIONS).json()["results"]
    assert (listed["peer"], listed["may_send"]) == (gone, False)
    [by_friend] = blocker.device.get("/api/v1/private-messages").json()["results"]
    assert by_friend["friend"] == gone
    assert [m["text"] for m in by_friend["messages"]] == ["hello", "hello yourself"]
    opened = blocker.device.post(f"{CONVERSATIONS}/direct", {"user_id": str(blocker.id)})
    assert (opened.status_code, opened.json()["peer"]) == (200, gone)


def test_every_door_of_this_app_is_in_the_table():
    knocked = {
        (method, re.sub(r"\{\w+\}", "<str:user_id>", path.partition("?")[0]))
        for method, path, _ in LOOKS + CHANGES
    }
    assert set(doors_of(urls.urlpatterns)) <= knocked
