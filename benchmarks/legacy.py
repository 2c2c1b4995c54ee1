"""Clients of the legacy v1 API that chat: in pairs, and in a group.

This API does not tell senders that their message is stored. So a message counts as answered when
it has arrived: at the partner, or in a group at one member who acts as the witness. Every text
begins with what would be its `client_id`.
"""

import json
from collections.abc import Sequence

from picows import WSFrame, WSMsgType, WSTransport

from benchmarks.frames import Scanner
from benchmarks.job import Conversation, Job, Outcome, Seat
from benchmarks.sockets import Socket, open_all
from benchmarks.talkers import TEXT, InOrder
from benchmarks.talks import TalkOf, measure

_PRIVATE = b'{"type":"private_chat",'
_GROUP = b'{"type":"group_chat",'
_LIVE = b'{"type":"friends_online_status",'
_STATUS_CHANGED = b'{"type":"online_status_fanout",'
# Seeded usernames begin like this; a refusal names nobody.
_SENDER = b'"sender_username":"user'


def username(index: int) -> str:
    """The username of the user at this index of a layout (seed.py)."""
    return f"user{index}"


class LegacySocket(Socket):
    """Counts what arrives. The one-time code in the seat's URL takes the place of a hello."""

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat, Scanner())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            super().on_ws_frame(transport, frame)
            return
        payload = frame.get_payload_as_bytes()
        if payload.startswith((_PRIVATE, _GROUP)):
            at = payload.find(_SENDER)
            if at < 0:
                self._fault("refused")
                return
            self.delivered += 1
            self.on_text(payload, at + len(_SENDER))
        elif payload.startswith(_LIVE):
            self.live.set_result(None)
        elif not payload.startswith(_STATUS_CHANGED):
            self._fault(payload[:40].decode())

    def on_text(self, payload: bytes, sender_at: int) -> None:
        """A message arrived, with its sender's index at `sender_at`. Subclasses count answers here."""


class LegacyTalker(InOrder, LegacySocket):
    """A client that writes."""

    def __init__(self, seat: Seat, command: dict[str, object], name: str, waits: list[float]):
        LegacySocket.__init__(self, seat)
        InOrder.__init__(self, name, waits)
        self._frame = json.dumps(command).replace("{text}", f"{name}.%d {TEXT}").encode()

    def write(self, number: int) -> None:
        self.transport.send(WSMsgType.TEXT, self._frame % number)


class _Partner(LegacyTalker):
    other: "_Partner"

    def on_text(self, payload: bytes, sender_at: int) -> None:
        self.other.on_answer()


class _Pair(TalkOf[_Partner, _Partner]):
    """Two users. Each receives what the other sends, but not what they send themselves."""

    def __init__(self, job: Job, conversation: Conversation, waits: list[float]) -> None:
        one, two = (
            _Partner(
                job.seats[index],
                {
                    "type": "private_chat",
                    "private_chat": {
                        "sender_username": username(index),
                        "recipient_username": username(other),
                        "message": "{text}",
                    },
                },
                f"{job.prefix}.{index}",
                waits,
            )
            for index, other in (conversation.members, reversed(conversation.members))
        )
        one.other, two.other = two, one
        self.talkers = self.sockets = [one, two]

    def differences(self) -> list[int]:
        return [one.delivered - one.other.answered for one in self.talkers]


class _Witness(LegacySocket):
    talkers: dict[bytes, LegacyTalker]

    def on_text(self, payload: bytes, sender_at: int) -> None:
        self.talkers[payload[sender_at : payload.index(b'"', sender_at)]].on_answer()


class _Group(TalkOf[LegacyTalker, LegacySocket]):
    """A group in which the first members write and the next one is the witness."""

    def __init__(self, job: Job, conversation: Conversation, talkers: int, waits: list[float]):
        self.talkers = [
            LegacyTalker(
                job.seats[index],
                {
                    "type": "group_chat",
                    "group_chat": {
                        "group_name": "Everybody",
                        "sender_username": username(index),
                        "message": "{text}",
                    },
                },
                f"{job.prefix}.{index}",
                waits,
            )
            for index in conversation.members[:talkers]
        ]
        witness, *others = conversation.members[talkers:]
        self._witness = _Witness(job.seats[witness])
        indexes = conversation.members[:talkers]
        self._witness.talkers = {
            b"%d" % index: talker for index, talker in zip(indexes, self.talkers, strict=True)
        }
        listeners = [LegacySocket(job.seats[index]) for index in others]
        self.sockets = [*self.talkers, self._witness, *listeners]

    def differences(self) -> list[int]:
        """A talker receives all messages but their own."""
        sent = sum(talker.answered for talker in self.talkers)
        own = [talker.answered for talker in self.talkers]
        own += [0] * (len(self.sockets) - len(own))
        return [
            socket.delivered + mine - sent for socket, mine in zip(self.sockets, own, strict=True)
        ]


async def legacy_pairs(job: Job, conversations: Sequence[Conversation]) -> Outcome:
    waits: list[float] = []
    talks = [_Pair(job, conversation, waits) for conversation in conversations]
    await open_all([socket for talk in talks for socket in talk.sockets])
    return await measure(job, talks, waits)


async def legacy_group(job: Job, conversation: Conversation, *, talkers: int) -> Outcome:
    waits: list[float] = []
    talk = _Group(job, conversation, talkers, waits)
    await open_all(talk.sockets)
    return await measure(job, [talk], waits)
