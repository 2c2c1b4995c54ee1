"""Users who chat in pairs over the Matrix client API, as its web clients do.

Each sends with PUT, which is answered when the message is stored, and receives by long polling:
one `/sync` after another, each from where the previous one ended. Both users of a pair receive
all messages.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine
from urllib.parse import quote

from benchmarks.calls import Caller
from benchmarks.job import Conversation, Job, Outcome, Seat
from benchmarks.talkers import TEXT, Sender
from benchmarks.talks import TalkOf, measure

CLIENT = "/_matrix/client/v3"
# Below the deadline of a call.
POLL_MILLISECONDS = 30_000
# Nothing but messages, and no gaps before so many at once.
FILTER = quote(
    '{"presence":{"types":[]},"account_data":{"types":[]},'
    '"room":{"timeline":{"limit":100},"ephemeral":{"types":[]},"account_data":{"types":[]}}}'
)
# A quote in a text is escaped, so this stands for an event.
MESSAGE = b'"type":"m.room.message"'
CONNECTING_AT_ONCE = 20


class Client(Sender):
    """`delivered` counts messages that arrived by sync."""

    def __init__(
        self, seat: Seat, *, room_id: str, client_id: str, in_flight: int, latencies: list[float]
    ) -> None:
        self.delivered = 0
        self.faults: Counter[str] = Counter()
        self.sent = 0
        self.pending: set[int] = set()
        self.refused: set[int] = set()
        self._client_id = client_id
        self._path = f"rooms/{quote(room_id)}/send/m.room.message"
        self._hearing = Caller(seat, base=CLIENT)
        self._lines = [Caller(seat, base=CLIENT) for _ in range(in_flight)]
        self._latencies = latencies
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Sync once to skip what is already there, then listen for new messages."""
        for line in self._lines:
            await line.get("account/whoami")
        first = await self._hearing.get(f"sync?filter={FILTER}")
        self._keep(self._hear(first.content["next_batch"]))

    def send(self) -> None:
        self.sent += 1
        self.pending.add(self.sent)
        self._keep(self._put(self.sent))

    @property
    def answered(self) -> int:
        return self.sent - len(self.pending) - len(self.refused)

    def acked(self) -> list[str]:
        unknown = self.pending | self.refused
        numbers = range(1, self.sent + 1)
        return [f"{self._client_id}.{number}" for number in numbers if number not in unknown]

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for line in (self._hearing, *self._lines):
            line.close()

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _put(self, number: int) -> None:
        line = self._lines.pop()
        client_id = f"{self._client_id}.{number}"
        body = {"msgtype": "m.text", "body": TEXT, "client_id": client_id}
        began = time.perf_counter()
        answer = await line.call("PUT", f"{self._path}/{client_id}", body)
        self._lines.append(line)
        self.pending.remove(number)
        if answer.status != 200:
            self.refused.add(number)
            self.faults[f"status {answer.status}"] += 1
            return
        self._latencies.append(time.perf_counter() - began)
        self.send_next()

    async def _hear(self, since: str) -> None:
        while True:
            path = f"sync?filter={FILTER}&timeout={POLL_MILLISECONDS}&since={since}"
            answer = await self._hearing.get(path)
            if answer.status != 200:
                self.faults[f"status {answer.status}"] += 1
                return
            self.delivered += answer.body.count(MESSAGE)
            _, _, rest = answer.body.partition(b'"next_batch":"')
            since = rest.partition(b'"')[0].decode()


class _Pair(TalkOf[Client, Client]):
    def __init__(self, job: Job, conversation: Conversation, latencies: list[float]) -> None:
        self.talkers = self.sockets = [
            Client(
                job.seats[index],
                room_id=conversation.id,
                client_id=f"{job.prefix}.{index}",
                in_flight=int(job.options["in-flight"]),
                latencies=latencies,
            )
            for index in conversation.members
        ]


async def chat_in_pairs(job: Job) -> Outcome:
    latencies: list[float] = []
    talks = [_Pair(job, conversation, latencies) for conversation in job.conversations]
    free = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def open_one(client: Client) -> None:
        async with free:
            await client.open()

    async with asyncio.TaskGroup() as tasks:
        for talk in talks:
            for client in talk.talkers:
                tasks.create_task(open_one(client))
    return await measure(job, talks, latencies)
