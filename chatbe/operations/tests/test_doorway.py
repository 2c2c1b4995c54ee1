"""New connections come in a few a turn of the event loop, in order."""

import asyncio
from types import SimpleNamespace
from typing import cast

from chatbe.operations.http_protocol import TURN, Doorway
from chatbe.realtime.runtime import Runtime


async def test_however_many_come_at_once_others_have_their_turn_between_them():
    loop = asyncio.get_running_loop()
    doorway = Doorway(cast("Runtime", SimpleNamespace(loop=loop)))
    came, turns = [], []
    for number in range(3 * TURN + 1):
        doorway.enter(lambda number=number: came.append(number))
    assert came == []
    while len(came) < 3 * TURN + 1:
        await asyncio.sleep(0)
        turns.append(len(came))
    assert came == list(range(3 * TURN + 1))
    assert max(b - a for a, b in zip([0, *turns], turns, strict=False)) == TURN
