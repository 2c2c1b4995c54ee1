"""Finishing what a process that was cut short has begun, looked for now and then."""

import asyncio
import random

from accounts.services.status_follow_up import finish_follow_ups
from common.background import run_loop
from common.database import write_in_database_thread

LOOK_SECONDS = 30.0


def start_looking() -> asyncio.Task[None]:
    """Look every LOOK_SECONDS, give or take a fifth, until the task is cancelled."""
    return run_loop("status_follow_ups", _look)


async def _look() -> None:
    await asyncio.sleep(LOOK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311
    await write_in_database_thread(finish_follow_ups)
