"""Who comes and who goes, by the leases that are put: the same in memory and in Redis.

No lease is waited for: one that is put for no time has run out.
"""

import asyncio
import itertools
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.limits.shared import SharedLimits
from presence.redis_store import RedisStore
from presence.store import Lease, LeaseUpdate, MemoryStore, OfflineUser, StoreUnavailable
from tools.services import Redis

pytestmark = pytest.mark.both_databases


LONG = 60.0
# The clocks of Redis and of this machine are one; what a machine may be late is more.
NEAR = timedelta(seconds=5)

_ids = itertools.count(1000)


@pytest.fixture(scope="module")
def redis_server():
    with Redis() as redis:
        yield redis


@asynccontextmanager
async def redis_stores(url, count=1):
    """Stores of so many processes that share a Redis."""
    sharings = [SharedLimits(url, f"process{number}") for number in range(count)]
    try:
        yield [RedisStore(sharing) for sharing in sharings]
    finally:
        for sharing in sharings:
            await sharing.redis.aclose()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.postgres)])
def open_store(request):
    """Opens a store as one process has it."""
    if request.param == "memory":

        @asynccontextmanager
        async def memory():
            yield MemoryStore()

        return memory
    server = request.getfixturevalue("redis_server")

    @asynccontextmanager
    async def shared():
        async with redis_stores(server.url) as [store]:
            await store._redis.flushall()
            yield store

    return shared


def lease(user_id, name="a.1"):
    return Lease(user_id, name)


async def names(store):
    """Who has gone since the last look."""
    return sorted(user_id for user_id, _ in (await store.sweep()).gone)


async def test_somebody_is_online_from_the_first_lease_until_the_sweep_after_the_last(open_store):
    async with open_store() as store:
        assert await store.put([LeaseUpdate(lease(1), LONG)]) == {1}
        assert await store.put(
            [LeaseUpdate(lease(1, "b.1"), LONG), LeaseUpdate(lease(2), LONG)]
        ) == {2}
        assert (await store.online([1, 2, 3])).online == {1, 2}
        assert await store.put([LeaseUpdate(lease(1), 0)]) == set()
        assert await names(store) == []
        assert await store.put([LeaseUpdate(lease(1, "b.1"), 0)]) == set()
        # Until somebody has been told so, nobody has gone.
        assert (await store.online([1])).online == {1}
        assert await names(store) == [1]
        assert await names(store) == []
        assert (await store.online([1, 2])).online == {2}


async def test_whoever_comes_back_in_time_was_never_gone(open_store):
    async with open_store() as store:
        await store.put([LeaseUpdate(lease(1), LONG)])
        await store.put([LeaseUpdate(lease(1), 0)])
        assert await store.put([LeaseUpdate(lease(1, "a.2"), LONG)]) == set()
        assert await names(store) == []


async def test_a_lease_runs_out_by_itself(open_store):
    async with open_store() as store:
        await store.put([LeaseUpdate(lease(1), 0.05), LeaseUpdate(lease(2), LONG)])
        gone: list[OfflineUser] = []
        async with asyncio.timeout(10):
            while not gone:
                gone, online = await store.sweep()
        assert ([user_id for user_id, _ in gone], online) == ([1], 1)


async def test_a_renewed_lease_does_not_and_ends_what_a_lost_store_forgot(open_store):
    async with open_store() as store:
        await store.put([LeaseUpdate(lease(1), 0.01)])
        await store.put([LeaseUpdate(lease(1), LONG)])
        await asyncio.sleep(0.02)
        assert await names(store) == []
        # Renewing what is not known (any more) makes it, ending it is told as well.
        assert await store.put([LeaseUpdate(lease(2), LONG)]) == {2}
        assert await store.put([LeaseUpdate(lease(3), 0)]) == {3}
        assert await names(store) == [3]


async def test_last_seen_is_the_last_sign_of_life_and_kept_until_it_is_saved(open_store):
    async with open_store() as store:
        before = datetime.now(UTC)
        await store.put([LeaseUpdate(lease(1), LONG), LeaseUpdate(lease(2), 0)])
        await store.put([LeaseUpdate(lease(1), 0)])
        swept = await store.sweep()
        assert {user_id for user_id, _ in swept.gone} == {1, 2}
        assert all(before - NEAR <= at <= datetime.now(UTC) + NEAR for _, at in swept.gone)
        assert sorted(await store.unsaved()) == sorted(swept.gone)
        [first, second] = sorted(swept.gone)
        await store.saved(
            [first, OfflineUser(second.user_id, second.seen_at - timedelta(seconds=1))]
        )
        assert await store.unsaved() == [second]
        await store.saved([second])
        assert await store.unsaved() == []


async def test_asking_for_nobody_is_answered(open_store):
    async with open_store() as store:
        assert (await store.online([])).online == set()
        assert await store.put([]) == set()
        await store.saved([])


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("put"),
            st.lists(
                st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans()),
                min_size=1,
                max_size=4,
            ),
        ),
        st.tuples(st.just("sweep"), st.none()),
    ),
    max_size=25,
)


@given(steps=STEPS)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_everybody_comes_once_and_goes_once_whatever_is_put_when(open_store, steps):
    async def play():
        async with open_store() as store:
            users = [next(_ids) for _ in range(3)]
            running: dict[int, set[str]] = {user: set() for user in users}
            online: set[int] = set()
            for step, updates in steps:
                if step == "sweep":
                    gone = {user for user in online if not running[user]}
                    assert {user for user, _ in (await store.sweep()).gone} == gone
                    online -= gone
                    continue
                on_connect = {users[place] for place, _, _ in updates} - online
                put = []
                for place, name, runs in updates:
                    put.append(LeaseUpdate(lease(users[place], f"p.{name}"), LONG if runs else 0))
                    change = running[users[place]].add if runs else running[users[place]].discard
                    change(f"p.{name}")
                assert await store.put(put) == on_connect
                online |= on_connect
                assert (await store.online(users)).online == online

    asyncio.run(play())


@pytest.mark.postgres
async def test_of_many_processes_that_look_one_finds_who_came_and_one_who_went(redis_server):
    async with redis_stores(redis_server.url, 4) as stores:
        await stores[0]._redis.flushall()
        users = [next(_ids) for _ in range(50)]
        updates = [
            [
                LeaseUpdate(lease(user, f"{place}.1"), LONG)
                for user in random.sample(users, len(users))
            ]
            for place in range(len(stores))
        ]
        on_connect = await asyncio.gather(*(s.put(t) for s, t in zip(stores, updates, strict=True)))
        assert sorted(user for some in on_connect for user in some) == sorted(users)
        for store, some in zip(stores, updates, strict=True):
            await store.put([LeaseUpdate(name, 0) for name, _ in some])
        swept = await asyncio.gather(*(store.sweep() for store in stores))
        assert sorted(user for some in swept for user, _ in some.gone) == sorted(users)


@pytest.mark.postgres
async def test_a_redis_that_has_lost_everything_is_not_complete_at_first(redis_server, settings):
    async with redis_stores(redis_server.url) as [store]:
        await store._redis.flushall()
        assert not (await store.online([1])).complete
        await store.put([LeaseUpdate(lease(1), LONG)])
        assert await store.online([1, 2]) == ({1}, False)
        settings.PRESENCE_LEASE_SECONDS = 0.0
        assert await store.online([1, 2]) == ({1}, True)


@pytest.mark.postgres
async def test_after_a_time_without_redis_everybody_may_renew_before_anybody_goes(redis_server):
    async with redis_stores(redis_server.url) as [store]:
        await store._redis.flushall()
        await store.put([LeaseUpdate(lease(1), 0)])
        await store._redis.set(store._swept, "1")
        assert await store.sweep() == ([], 1)
        assert await store.put([LeaseUpdate(lease(1), LONG)]) == set()
        await store.put([LeaseUpdate(lease(1), 0)])
        assert await names(store) == []
        await store._redis.delete(store._held)
        assert await names(store) == [1]


@pytest.mark.postgres
@pytest.mark.parametrize("fault", ["nonsense", "stuck"])
async def test_a_redis_that_speaks_nonsense_or_nothing_is_away(redis_server, fault):
    async with redis_stores(redis_server.url) as [store]:
        await store._redis.flushall()
        await store.put([LeaseUpdate(lease(1), 0)])
        if fault == "stuck":
            redis_server.pause()
        else:
            await store._redis.zadd(store._users, {"nobody": 1})
        try:
            with pytest.raises(StoreUnavailable):
                await store.sweep()
            # Nobody waits for it a second time.
            with pytest.raises(StoreUnavailable):
                await asyncio.wait_for(store.online([1]), 0.1)
        finally:
            if fault == "stuck":
                redis_server.resume()
