"""Clients that keep a number of messages unanswered, and time the answers."""

import time
from abc import ABC, abstractmethod
from collections import deque

from picows import WSMsgType

from benchmarks.frames import Scanner
from benchmarks.job import Seat
from benchmarks.sockets import Socket

TEXT = "Are you coming tonight? We start at eight."


class Sender(ABC):
    """Sends the next message for each one that is answered, from `start` to `stop`."""

    _is_sending = False

    @abstractmethod
    def send(self) -> None:
        """Send one more message."""

    def start(self, in_flight: int) -> None:
        self._is_sending = True
        for _ in range(in_flight):
            self.send()

    def stop(self) -> None:
        self._is_sending = False

    def send_next(self) -> None:
        """A message was answered."""
        if self._is_sending:
            self.send()


class Talker(Sender, Socket):
    """Sends the next message when one is answered, but not when one is refused."""

    def __init__(
        self,
        seat: Seat,
        scanner: Scanner,
        *,
        conversation_id: str,
        client_id: str,
        latencies: list[float],
    ) -> None:
        super().__init__(seat, scanner)
        self.sent = 0
        self.refused: list[int] = []
        self.pending: dict[bytes, float] = {}
        self._client_id = client_id
        self._frame = (
            f'{{"type":"message.send","conversation_id":"{conversation_id}",'
            f'"client_id":"{client_id}.%d","text":"{TEXT}","ref":"%d"}}'
        ).encode()
        self._latencies = latencies

    @property
    def answered(self) -> int:
        """How many messages were answered with a reply."""
        return self.sent - len(self.pending) - len(self.refused)

    def acked(self) -> list[str]:
        """The client_ids of the answered messages."""
        unknown = {int(ref) for ref in self.pending} | set(self.refused)
        numbers = range(1, self.sent + 1)
        return [f"{self._client_id}.{number}" for number in numbers if number not in unknown]

    def on_reply(self, ref: bytes) -> None:
        self._latencies.append(time.perf_counter() - self.pending.pop(ref))
        self.send_next()

    def on_error(self, ref: bytes) -> None:
        if self.pending.pop(ref, None) is not None:
            self.refused.append(int(ref))

    def send(self) -> None:
        self.sent += 1
        self.pending[b"%d" % self.sent] = time.perf_counter()
        self.transport.send(WSMsgType.TEXT, self._frame % (self.sent, self.sent))


class InOrder(Sender):
    """Sends the next message when one has arrived. Messages arrive in the order of sending."""

    def __init__(self, client_id: str, latencies: list[float]) -> None:
        self.sent = 0
        self.pending: deque[float] = deque()
        self._client_id = client_id
        self._latencies = latencies

    @abstractmethod
    def write(self, number: int) -> None:
        """Send the message with this number."""

    @property
    def answered(self) -> int:
        return self.sent - len(self.pending)

    def acked(self) -> list[str]:
        return [f"{self._client_id}.{number}" for number in range(1, self.answered + 1)]

    def on_answer(self) -> None:
        self._latencies.append(time.perf_counter() - self.pending.popleft())
        self.send_next()

    def send(self) -> None:
        self.sent += 1
        self.pending.append(time.perf_counter())
        self.write(self.sent)
