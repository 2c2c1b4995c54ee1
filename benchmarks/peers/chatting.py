"""People who talk over XMPP: in pairs, or all of them in one room.

Each keeps so many messages unanswered, and an answer is that the message has arrived: at
the partner, or back from the room at whoever sent it. No server says that it has taken a
message, unless asked to with an extension (XEP-0198). So this asks less of it than a reply
and then delivery.
"""

from xml.sax.saxutils import escape

from benchmarks.job import Conversation, Job, Outcome, Seat
from benchmarks.peers.stanzas import Stanzas
from benchmarks.peers.xmpp import Connection, jid, open_all
from benchmarks.talkers import TEXT, InOrder
from benchmarks.talks import TalkOf, measure


class Chatter(InOrder, Connection):
    """One of them."""

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
    """Two people. Each gets what the other sends, and nothing of what they send themselves."""

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
    """Is in a room, whose messages have the sender's name as the resource of where they are from."""

    def __init__(self, job: Job, index: int, channel: str, latencies: list[float]) -> None:
        seat = job.seats[index]
        super().__init__(
            seat,
            Stanzas(own=f"from='{channel}/{_user(seat)}'".encode()),
            to=channel,
            kind="groupchat",
            client_id=f"{job.prefix}.{index}",
            latencies=latencies,
        )
        self._room = channel

    async def enter(self) -> None:
        muc = "http://jabber.org/protocol/muc"
        await self.ask(
            (
                f"<presence to='{self._room}/{self.user}'><x xmlns='{muc}'>"
                "<history maxstanzas='0'/></x></presence>"
            ).encode(),
            # Its subject, empty as it is, is the last a newcomer is told.
            b"</message>",
        )

    def on_messages(self, number: int, own: int) -> None:
        for _ in range(own):
            self.on_answer()


class _Room(TalkOf[_Member, _Member]):
    """A room of all, of whom the first write."""

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
    channel = _Room(job, conversation, talkers, latencies)
    # Whoever comes first makes it.
    await open_all(channel.sockets[:1])
    await open_all(channel.sockets[1:])
    return await measure(job, [channel], latencies)


def _user(seat: Seat) -> str:
    assert seat.hello is not None
    user: str = seat.hello["user"]
    return user
