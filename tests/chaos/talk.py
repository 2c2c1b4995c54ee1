"""What one device does in one conversation: write, change what it wrote, read, ask a bot."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.bots import CALL
from tests.kit.client import Client, EndedError, SendRefusedError
from tests.kit.event_log import Message, Refusal

# After so many of its own messages a device says what it has read.
READ_EVERY = 10
# So often a message is followed by a change of one of the last ones, and which.
EDITED, DELETED = 0.15, 0.05
CHANGEABLE = 10


@dataclass(frozen=True, slots=True)
class Manner:
    """How somebody talks somewhere. Every `asks_every`th message is a question; 0 is none.

    `slower` is by how much longer they wait between two messages than others do. What is
    said to a bot in private is a question in any case, and is not changed any more.
    """

    conversation_id: str
    slower: float = 1.0
    asks_every: int = 0
    changes: bool = True


FRIENDS = Manner("")
GROUP = Manner("", slower=4.0)
# The owner is never removed, and so can always see the answer.
GROUP_OWNER = Manner("", slower=4.0, asks_every=15)
BOT = Manner("", slower=40.0, changes=False)


class Talk:
    """`pause` in seconds; `quiet` ends it; `on_ack` is told of every message in an ack."""

    def __init__(
        self,
        client: Client,
        manner: Manner,
        *,
        pause: float,
        dice: random.Random,
        quiet: asyncio.Event,
        on_ack: Callable[[Message], None],
    ) -> None:
        self._client = client
        self._manner = manner
        self._pause = pause * manner.slower
        self._dice = dice
        self._quiet = quiet
        self._on_ack = on_ack
        self._changeable: deque[int] = deque(maxlen=CHANGEABLE)

    async def run(self) -> None:
        number = 0
        with contextlib.suppress(EndedError):
            while not self._quiet.is_set():
                number += 1
                await self._say(number)
                if self._manner.changes:
                    await self._change(number)
                if number % READ_EVERY == 0:
                    await self._read()
                with contextlib.suppress(TimeoutError):
                    pause = self._dice.expovariate(1 / self._pause)
                    await asyncio.wait_for(self._quiet.wait(), pause)

    async def _say(self, number: int) -> None:
        asks = self._manner.asks_every and number % self._manner.asks_every == 0
        text = f"{number} of {self._client.journal.device} {'é' * self._dice.randrange(200)}"
        # What is refused is in the journal.
        with contextlib.suppress(SendRefusedError):
            message = await self._client.send(
                self._manner.conversation_id, f"{CALL if asks else ''}{text}"
            )
            self._on_ack(message)
            if not asks:
                self._changeable.append(message["seq"])

    async def _change(self, number: int) -> None:
        chance = self._dice.random()
        if chance >= EDITED + DELETED or not self._changeable:
            return
        seq = self._dice.choice(self._changeable)
        text = f"{number} changed {seq} {self._dice.random()}" if chance < EDITED else None
        if text is None:
            self._changeable.remove(seq)
        try:
            self._on_ack(await self._client.edit(self._manner.conversation_id, seq, text))
        except SendRefusedError:
            # From an earlier stay in a group: it is out of reach.
            self._changeable.clear()

    async def _read(self) -> None:
        """Say that everything here has been read; once, for the next time says more."""
        conversation_id = self._manner.conversation_id
        seq = self._client.journal.cursors.get(conversation_id, 0)
        command = {"type": "receipt.mark_read", "conversation_id": conversation_id, "seq": seq}
        with contextlib.suppress(ConnectionError):
            answer = await self._client.command(command)
            if answer["type"] == "error" and not answer["retry"]:
                refusal = Refusal(conversation_id, "", answer["code"])
                self._client.journal.refusals.append(refusal)
