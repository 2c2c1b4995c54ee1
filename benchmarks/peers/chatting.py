"""Users who chat over XMPP: in pairs, or all in one room.

Each keeps a number of messages unanswered. A message counts as answered when it has arrived: at
the partner, or back from the room at its sender. XMPP servers do not confirm a message without
an extension (XEP-0198), so this asks less of them than a reply and then a delivery.
"""

from xml.sax.saxutils import escape

from benchmarks.job import Conversation, Job, Outcome, Seat
from benchmarks.peers.stanzas import Stanzas
from benchmarks.peers.xmpp import Connection, jid, open_all
from benchmarks.talkers import TEXT, InOrder
from benchmarks.talks import TalkOf, measure


class Chatter(InOrder, Connection):
    """One user of the chat."""

    def __init__(
        self,
        seat: Seat,
        stanzas: Stanzas,
        *,
        to: str,
        kind: str,
        client_id: str,
        latencies: list[float],
    ) -> None:
        Connection.__init__(self, seat, stanzas)
        InOrder.__init__(self, client_id, latencies)
        self._stanza = (
            f"<message to='{to}' type='{kind}' id='{client_id}.%d'>"
            f"<body>{escape(TEXT)}</body></message>"
        ).encode()

    def write(self, number: int) -> None:
        self.transport.write(self._stanza % number)


class _Pair(Chatter):
    partner: "_Pair"

    def on_messages(self, number: int, own: int) -> None:
        for _ in range(number):
            self.partner.on_answer()


class _Pairing(TalkOf[_Pair, _Pair]):
    """Two users. Each receives what the other sends, but not what they send themselves."""

    def __init__(self, job: Job, conversation: Conversation, latencies: list[float]) -> None:
        one, two = (
            _Pair(
                job.seats[index],
                Stanzas(),
                to=jid(_user(job.seats[other])),
                kind="chat",
                client_id=f"{job.prefix}.{index}",
                latencies=latencies,
            )
            for index, other in (conversation.members, reversed(conversation.members))
        )
        one.partner, two.partner = two, one
        self.talkers = self.sockets = [one, two]

    def differences(self) -> list[int]:
        return [one.delivered - one.partner.answered for one in self.talkers]


async def chat_in_pairs(job: Job) -> Outcome:
    latencies: list[float] = []
    talks = [_Pairing(job, conversation, latencies) for conversation in job.conversations]
    await open_all([socket for talk in talks for socket in talk.sockets])
    return await measure(job, talks, latencies)


class _Member(Chatter):
    """A member of a room, where the resource of a message's `from` is its sender's name."""

    def __init__(self, job: Job, index: int, room: str, latencies: list[float]) -> None:
        seat = job.seats[index]
        super().__init__(
            seat,
            Stanzas(own=f"from='{room}/{_user(seat)}'".encode()),
            to=room,
            kind="groupchat",
            client_id=f"{job.prefix}.{index}",
            latencies=latencies,
        )
        self._room_jid = room

    async def enter(self) -> None:
        muc = "http://jabber.org/protocol/muc"
        await self.ask(
            (
                f"<presence to='{self._room_jid}/{self.user}'><x xmlns='{muc}'>"
                "<history maxstanzas='0'/></x></presence>"
            ).encode(),
            # The room's subject, although empty, is the last thing a new member receives.
            b"</message>",
        )

    def on_messages(self, number: int, own: int) -> None:
        for _ in range(own):
            self.on_answer()


class _GroupChat(TalkOf[_Member, _Member]):
    """A room with all members, the first of whom write."""

    def __init__(
        self, job: Job, conversation: Conversation, talkers: int, latencies: list[float]
    ) -> None:
        self.sockets = [
            _Member(job, index, conversation.id, latencies) for index in conversation.members
        ]
        self.talkers = self.sockets[:talkers]


async def chat_in_room(job: Job, *, talkers: int) -> Outcome:
    latencies: list[float] = []
    [conversation] = job.conversations
    room = _GroupChat(job, conversation, talkers, latencies)
    # The first to enter creates the room.
    await open_all(room.sockets[:1])
    await open_all(room.sockets[1:])
    return await measure(job, [room], latencies)


def _user(seat: Seat) -> str:
    assert seat.hello is not None
    user: str = seat.hello["user"]
    return user
