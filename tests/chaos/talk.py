"""What one device does in one conversation: send, edit, delete, read and ask the bot."""

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

# After this many of its own messages a device sends a read receipt.
READ_EVERY = 10
# The share of messages that are followed by a change to one of the latest ones.
EDITED, DELETED = 0.15, 0.05
CHANGEABLE = 10


@dataclass(frozen=True, slots=True)
class TalkStyle:
    """How a device talks in a conversation. Every `asks_every`th message is a question; 0 is none.

    `slower` multiplies the pause between two messages. Every message in a direct conversation
    with a bot is a question, and is never changed.
    """

    conversation_id: str
    slower: float = 1.0
    asks_every: int = 0
    changes: bool = True


FRIENDS = TalkStyle("")
GROUP = TalkStyle("", slower=4.0)
# The owner is never removed, and so can always see the answer.
GROUP_OWNER = TalkStyle("", slower=4.0, asks_every=15)
BOT = TalkStyle("", slower=40.0, changes=False)


class Talk:
    """`pause` is in seconds, `quiet` ends the talk, `on_ack` is called with every acked message."""

    def __init__(
        self,
        client: Client,
        style: TalkStyle,
        *,
        pause: float,
        dice: random.Random,
        quiet: asyncio.Event,
        on_ack: Callable[[Message], None],
    ) -> None:
        self._client = client
        self._style = style
        self._pause = pause * style.slower
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
                if self._style.changes:
                    await self._change(number)
                if number % READ_EVERY == 0:
                    await self._read()
                with contextlib.suppress(TimeoutError):
                    pause = self._dice.expovariate(1 / self._pause)
                    await asyncio.wait_for(self._quiet.wait(), pause)

    async def _say(self, number: int) -> None:
        asks = self._style.asks_every and number % self._style.asks_every == 0
        text = f"{number} of {self._client.journal.device} {'é' * self._dice.randrange(200)}"
        # The journal records refusals.
        with contextlib.suppress(SendRefusedError):
            message = await self._client.send(
                self._style.conversation_id, f"{CALL if asks else ''}{text}"
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
            self._on_ack(await self._client.edit(self._style.conversation_id, seq, text))
        except SendRefusedError:
            # It is from an earlier stay in the group, and out of reach.
            self._changeable.clear()

    async def _read(self) -> None:
        """Mark everything as read, without a retry: the next receipt covers it."""
        conversation_id = self._style.conversation_id
        seq = self._client.journal.cursors.get(conversation_id, 0)
        command = {"type": "receipt.mark_read", "conversation_id": conversation_id, "seq": seq}
        with contextlib.suppress(ConnectionError):
            answer = await self._client.command(command)
            if answer["type"] == "error" and not answer["retry"]:
                refusal = Refusal(conversation_id, "", answer["code"])
                self._client.journal.refusals.append(refusal)
