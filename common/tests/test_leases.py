"""Places of sockets in a Redis in which other versions of this server have written, too."""

import asyncio
import time

import pytest

from common.limits.shared import PROCESSES, SharedLimits
from common.limits.socket_leases import SocketLeases
from tests.kit.servers import running_redis

USER = 4_711


@pytest.mark.postgres
async def test_a_lease_that_does_not_say_since_when_is_the_first_to_give_way(settings):
    settings.SOCKETS_PER_USER = 2
    told = []
    with running_redis() as url:
        sharing = SharedLimits(url, "p")
        leases = SocketLeases(sharing, "p", lambda *lost: told.append(lost))
        soon = (time.time() + 50) * 1000
        key = f"chat:sockets:{USER}"
        await sharing.redis.zadd(PROCESSES, {"old": soon, "other": soon})
        await sharing.redis.zadd(key, {"old.5": soon, "other.1.1700000000000.1": soon})
        taking = asyncio.ensure_future(leases.take(USER, 2))
        await asyncio.sleep(0)
        await leases.stop()
        held = await taking
        assert sharing.is_up
        assert told == [(USER, "old.5")]
        left = await sharing.redis.zrange(key, 0, -1)
        assert {name.decode() for name in left} == {held.name, "other.1.1700000000000.1"}
        await sharing.redis.delete(key)
        # The others there are whoever shares this Redis with the tests.
        await sharing.redis.zrem(PROCESSES, "old", "other")
        await sharing.stop()
