"""Measures what the channel layer costs, in this process and in Redis."""

from __future__ import annotations

import asyncio
import resource

from channels_redis.pubsub import RedisPubSubChannelLayer

from benchmarks.cpu import cpu_seconds
from benchmarks.scaling.model import BusCosts
from tools.services import Redis

BUS_MESSAGES = 4_000
# The size of a batch of one conversation on the bus.
FRAME = b"x" * 400


async def _exchange(url: str, listeners: int) -> None:
    """Publish BUS_MESSAGES batches to a group of this many channels, and receive them all."""
    layer = RedisPubSubChannelLayer(hosts=[url], prefix="scaling")
    channels = [await layer.new_channel() for _ in range(listeners)]
    for channel in channels:
        await layer.group_add("log", channel)
    message = {"type": "log", "content": FRAME}
    for _ in range(BUS_MESSAGES):
        await layer.group_send("log", message)
        for channel in channels:
            await layer.receive(channel)
    await layer.flush()


def measure_bus() -> BusCosts:
    """Seconds of processor time for each batch that is published and received.

    Publishing to one listener and publishing to none differ by the cost of receiving. Redis'
    share is its own processor time.
    """
    with Redis() as server:
        used = []
        for listeners in (0, 1):
            before, redis_before = _own_seconds(), _seconds_of(server)
            asyncio.run(_exchange(server.url, listeners))
            spent = _own_seconds() - before, _seconds_of(server) - redis_before
            used.append([seconds / BUS_MESSAGES for seconds in spent])
    (own_none, redis_none), (own_one, redis_one) = used
    return BusCosts(
        batch_received=max(own_one - own_none, 1e-6),
        redis_publish=redis_none,
        redis_delivery=max(redis_one - redis_none, 1e-6),
    )


def _seconds_of(server: Redis) -> float:
    return cpu_seconds({"redis": server.pid})["redis"]


def _own_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
