"""What an old socket makes of our events: at once, encoded once, and never under an old name."""

import json
from contextlib import contextmanager

import pytest

from accounts.summaries import UserSummary
from chatbe.legacy_v1 import recipients as recipients_module
from chatbe.legacy_v1.event_translator import EventTranslator
from chatbe.legacy_v1.friends import Friends
from chatbe.legacy_v1.places import Places
from chatbe.legacy_v1.recipients import Meanings, Recipients
from chatbe.legacy_v1.senders import Sender
from chatbe.legacy_v1.texts import read_payload
from common.errors import Conflict, GoingAway, TooSlow
from common.ids import new_id, prepare
from conversations.schemas import ConversationBody, GroupBody, MessageBody, SystemBody, encode
from realtime.frames import added_frame, encode_frame, join_frames, message_created, range_frame
from realtime.tests.sockets import Recorder

GROUP, OTHER = 7, 8
ME, ALICE = 1, 2
LIVE = encode_frame("live")


class Listener:
    """One old socket, without its network."""

    def __init__(self, username="me"):
        self.feed_seqs = {ME: 5}
        self.places = Places()
        self.recipients = Recipients(self.feed_seqs, ME, self.places)
        self.translator = EventTranslator(
            ME,
            username,
            places=self.places,
            recipients=self.recipients,
            friends=Friends(ME, username, Recorder()),
        )

    def hear(self, *payloads):
        """The frames for what needs no look-up."""
        told = []
        for payload in payloads:
            frames = self.translator.translate_now(payload)
            assert frames is not None
            told += frames
        return told


@contextmanager
def known(listener):
    """The sender is known already."""
    listener.translator._forget_senders()
    listener.translator._senders[ALICE] = Sender("alice", is_bot=False)
    listener.translator._senders_until = float("inf")
    yield listener


def group(name, *, id=GROUP, head=1, cursor=1):
    body = ConversationBody(
        id=str(id),
        kind="group",
        head=head,
        visible_from=1,
        may_send=True,
        read_seq=0,
        delivered_seq=0,
        unread=0,
        peer=None,
        group=GroupBody(name, "member", 2, False, 0, False),
        last_message=None,
    )
    return added_frame(encode(body), cursor=cursor, head=head)


def direct(username):
    """The conversation 70 with somebody; without a name they are gone."""
    body = ConversationBody(
        id="70",
        kind="direct",
        head=1,
        visible_from=1,
        may_send=True,
        read_seq=0,
        delivered_seq=0,
        unread=0,
        peer=UserSummary("9", username, "", not username, False),
        group=None,
        last_message=None,
    )
    return added_frame(encode(body), cursor=1, head=1)


def row(seq, text="hello", *, id=GROUP, sender=ALICE, renamed=None, client_id="x"):
    return encode(
        MessageBody(
            conversation_id=str(id),
            seq=seq,
            changed_seq=seq,
            number=seq,
            id=str(new_id()),
            sender_id=str(sender),
            client_id=client_id,
            kind="text" if renamed is None else "system",
            text=text if renamed is None else "",
            system=None if renamed is None else SystemBody("group.renamed", [], renamed),
            reply_to=None,
            created_at="2026-01-02T03:04:05.678Z",
            edited_at=None,
            deleted_at=None,
        )
    )


def said(*arguments, **fields):
    return message_created(row(*arguments, **fields))


@pytest.fixture(autouse=True)
def _ids(db):
    prepare()


async def test_a_text_is_encoded_once_for_all_sockets():
    payload = join_frames([said(2, 'a "quoted" \\ text'), said(3, "ü\u2028")])
    read_payload.cache_clear()
    told = []
    for name in ("me", "ünï", "x" * 32):
        with known(Listener(name)) as one:
            told.append((name, one.hear(group("team"), LIVE, payload)))
    assert read_payload.cache_info().hits >= 2
    for name, frames in told:
        chats = [json.loads(frame)["group_chat"] for frame in frames]
        assert [chat["message"] for chat in chats] == ['a "quoted" \\ text', "ü\u2028"]
        assert {chat["recipient_username"] for chat in chats} == {name}
        assert {(chat["sender_username"], chat["group_name"]) for chat in chats} == {
            ("alice", "team")
        }
    first, _ = read_payload(payload).items
    assert len(first._frames) == 1


async def test_who_is_not_known_is_looked_up_before_anything_is_told():
    one = Listener()
    one.hear(group("team"), LIVE)
    payload = join_frames([said(2, sender=ME), said(3)])
    assert one.translator.translate_now(payload) is None
    with known(one):
        # Nothing of it counted as told.
        assert len(one.hear(payload)) == 1
        assert one.hear(payload) == []


async def test_names_are_looked_up_again_when_the_users_feed_has_moved():
    with known(Listener()) as one:
        one.hear(group("team"), LIVE, said(2), encode_frame("user.changed", feed_seq=6))
        assert one.translator.translate_now(said(3)) is None


async def test_a_name_means_a_group_only_once_all_are_told():
    one = Listener()
    one.hear(group("team"))
    assert one.recipients.group("team") is None
    one.hear(group("team", id=OTHER), LIVE)
    assert one.recipients.group("team") is None
    one.hear(encode_frame("conversation.removed", conversation_id=str(OTHER)))
    assert one.recipients.group("team") == GROUP
    one.hear(encode_frame("conversation.behind", conversation_id=str(GROUP), head=900))
    assert one.recipients.group("team") is None


async def test_a_renaming_that_is_older_than_what_is_known_changes_nothing():
    with known(Listener()) as one:
        # The announcement was read when the log had come to 3, and what is after 1 follows.
        one.hear(group("third", head=3, cursor=1), LIVE)
        chats = one.hear(said(2, renamed="second"), said(3, renamed="third"), said(4))
        assert json.loads(chats[0])["group_chat"]["group_name"] == "third"
        assert one.recipients.group("second") is None
        assert one.recipients.group("third") == GROUP
        changes = [row(5, "while away"), row(6, renamed="sixth")]
        frame = range_frame(conversation_id=GROUP, after=4, to=6, head=6, changes=changes)
        assert len(one.hear(frame)) == 1
        assert one.recipients.group("sixth") == GROUP
        assert one.recipients.group("third") is None


async def test_a_name_that_was_shown_means_no_other_group_on_this_socket():
    with known(Listener()) as one:
        one.hear(group("team"), group("others", id=OTHER), LIVE, said(2))
        one.hear(said(3, renamed="old team"), said(2, id=OTHER, renamed="team"))
        with pytest.raises(Conflict):
            one.recipients.group("team")
        with pytest.raises(Conflict):
            one.recipients.found_group("team", OTHER)
        assert one.recipients.group("old team") == GROUP
        one.hear(said(3, id=OTHER, renamed="others"), said(4, renamed="team"))
        assert one.recipients.group("team") == GROUP


@pytest.mark.parametrize(
    "changes",
    [
        [("rename", GROUP, "old team"), ("rename", OTHER, "team")],
        [("remove", GROUP), ("rename", OTHER, "team")],
        [("rename", OTHER, "team"), ("rename", GROUP, "old team")],
        [("rename", OTHER, "team"), ("remove", GROUP)],
        [("add", GROUP, "old team"), ("add", 9, "team")],
    ],
)
async def test_a_name_means_no_other_group_to_who_has_only_read_it_elsewhere(changes):
    with known(Listener()) as one:
        one.hear(group("team"), group("others", id=OTHER), LIVE)
        for what, id, *name in changes:
            if what == "rename":
                one.hear(said(2, id=id, renamed=name[0]))
            elif what == "add":
                one.hear(group(name[0], id=id, head=5, cursor=5))
            else:
                one.hear(encode_frame("conversation.removed", conversation_id=str(id)))
        with pytest.raises(Conflict):
            one.recipients.group("team")
        with pytest.raises(Conflict):
            one.recipients.found_group("team", OTHER)


async def test_what_was_read_means_nobody_else_than_what_the_socket_knows():
    """The database is ahead of what the socket has been told."""
    one = Listener()
    one.hear(group("team"), direct("bob"), LIVE)
    with pytest.raises(Conflict):
        one.recipients.found_group("team", OTHER)
    one.recipients.found_group("team", GROUP)
    for name in ("bob", "Bob"):
        with pytest.raises(Conflict):
            one.recipients.found_person(name, 71, feed_seq=5)
    one.recipients.found_person("bob", 70, feed_seq=5)
    one = Listener()
    one.hear(direct("bob"), LIVE, direct(""))
    with pytest.raises(Conflict):
        one.recipients.found_person("bob", 71, feed_seq=5)


async def test_a_person_is_remembered_as_of_a_position_of_the_feed():
    one = Listener()
    one.recipients.found_person("alice", 70, feed_seq=5)
    assert one.recipients.person("alice") == 70
    one.feed_seqs[ME] = 6
    assert one.recipients.person("alice") is None
    # What was read before the feed moved says nothing of now.
    one.recipients.found_person("alice", 70, feed_seq=5)
    assert one.recipients.person("alice") is None
    one.recipients.found_person("alice", 70, feed_seq=6)
    assert one.recipients.person("alice") == 70
    # A database that lost its end counts on from an older position.
    one.feed_seqs[ME] = 4
    assert one.recipients.person("alice") is None
    with pytest.raises(Conflict):
        one.recipients.found_person("ALICE", 71, feed_seq=9)


async def test_what_is_remembered_of_names_has_a_bound(monkeypatch):
    monkeypatch.setattr(recipients_module, "MEANINGS_MAX", 10)
    monkeypatch.setattr(recipients_module, "DIRECTS_MAX", 10)
    names = Meanings("no")
    for number in range(100):
        names.shown(f"name {number}", number)
        names.confirm("used", 1)
    assert len(names._ids) == 10
    with pytest.raises(Conflict):
        names.confirm("used", 2)
    one = Listener()
    for number in range(100):
        one.recipients.found_person(f"alice{number}", number, feed_seq=5)
    assert len(one.recipients._directs) <= 10


async def test_a_socket_that_cannot_go_on_ends():
    one = Listener()
    for frame in (encode_frame("reset"), encode_frame("reset", conversation_id=str(GROUP))):
        with pytest.raises(GoingAway):
            one.hear(frame)
    with pytest.raises(TooSlow):
        one.hear(encode_frame("resync"))
