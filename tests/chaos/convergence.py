"""No more faults and no more messages: all devices must converge by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos import stored
from tests.chaos.chat import Chat
from tests.chaos.outcome import Outcome
from tests.chaos.violations import Violation

# After the last fault: the time for every send to be answered, then for every device to catch
# up. A send of unknown outcome is resolved within 10 s, a lost event within 10 s.
ANSWER_SECONDS = 45.0
SETTLE_SECONDS = 20.0
# And the time for every question to the bot to be answered: one at a time in each conversation,
# those of a server that died only after its lease.
BOT_SECONDS = 45.0
# A crash shows after 75 s, a closed socket after 10 (P7); here after a fifth of that, and
# what a lost event did not deliver after 6 s.
PRESENCE_SECONDS = 20.0
GONE_SECONDS = 10.0
LOOK_SECONDS = 0.1


async def converge(chat: Chat, database_url: str, outcome: Outcome) -> list[Violation]:
    """Stop all sends, wait for agreement, then let new devices connect and others leave.

    Returns what did not happen in time; the checker compares logs and copies. Records in
    `outcome` how long it took and how many presence beliefs were compared.
    """
    clock = asyncio.get_running_loop().time

    async def is_answered() -> bool:
        left = await asyncio.to_thread(stored.unanswered, database_url, chat.conversation_ids)
        return left == 0

    async def is_level() -> bool:
        return chat.is_level(await asyncio.to_thread(stored.cursors, database_url))

    async def wrong_beliefs(seconds: float) -> list[Violation]:
        """Wrong beliefs about presence that remain after this many seconds."""

        async def is_right() -> bool:
            return not chat.presence()

        await _until(seconds, is_right)
        outcome.mix["beliefs"] += chat.beliefs
        return chat.presence()

    found = []
    late = await chat.stop_sending(ANSWER_SECONDS)
    if late:
        detail = f"{late} sends had no answer {ANSWER_SECONDS:g} s after the last fault"
        found.append(Violation("not_converged", "", detail))
    # The checker finds questions that are never answered.
    await _until(BOT_SECONDS, is_answered)
    stopped_at = clock()
    if await _until(SETTLE_SECONDS, is_level):
        outcome.settled.append(clock() - stopped_at)
    found += await wrong_beliefs(PRESENCE_SECONDS)
    await chat.add_late_devices()
    await _until(SETTLE_SECONDS, is_level)
    await chat.leave()
    found += await wrong_beliefs(GONE_SECONDS)
    return found


async def _until(seconds: float, condition: Callable[[], Awaitable[bool]]) -> bool:
    """Whether the condition became true within this many seconds."""
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    while not await condition():
        if clock() > until:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True
