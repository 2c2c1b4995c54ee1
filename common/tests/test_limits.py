"""Rate limits: windows that move, shared through Redis, stricter without it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine

from common.errors import RateLimited
from common.limits import window

pytestmark = pytest.mark.both_databases


NOBODY_LISTENS = "redis://127.0.0.1:1/0"
RULE = "4/minute"


@pytest.fixture(autouse=True)
def _empty():
    window.forget_everything()


def allowed(rule, *key, tries):
    """How many of so many tries were allowed."""
    count = 0
    for _ in range(tries):
        try:
            window.hit(rule, *key)
        except RateLimited:
            continue
        count += 1
    return count


def test_so_many_and_no_more():
    assert allowed(RULE, "login", "alice", tries=10) == 4


def test_the_refusal_says_how_long_to_wait():
    window.hit("1/15minutes", "login", "alice")
    with pytest.raises(RateLimited) as refused:
        window.hit("1/15minutes", "login", "alice")
    assert 890 <= refused.value.retry_after <= 900


def test_the_window_moves():
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        assert allowed(RULE, "login", "alice", tries=3) == 3
        clock.shift(30)
        assert allowed(RULE, "login", "alice", tries=3) == 1
        clock.shift(31)
        assert allowed(RULE, "login", "alice", tries=9) == 3


def test_what_was_refused_does_not_count():
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        assert allowed(RULE, "login", "alice", tries=100) == 4
        clock.shift(61)
        assert allowed(RULE, "login", "alice", tries=100) == 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("login", "alice"), ("login", "bob")),
        (("login", "alice"), ("register", "alice")),
        (("login", "a", "bc"), ("login", "ab", "c")),
        (("login", "a/b"), ("login", "a", "b")),
        (("login", "\ud800"), ("login", "?")),
    ],
)
def test_different_keys_are_counted_apart(one, other):
    assert allowed(RULE, *one, tries=5) == 4
    assert allowed(RULE, *other, tries=5) == 4


def test_looking_does_not_count():
    for _ in range(10):
        window.check(RULE, "login", "alice")
    assert allowed(RULE, "login", "alice", tries=5) == 4
    with pytest.raises(RateLimited) as refused:
        window.check(RULE, "login", "alice")
    assert 0 < refused.value.retry_after <= 60


def test_clearing_forgets_one_key():
    assert allowed(RULE, "login", "alice", tries=5) == 4
    assert allowed(RULE, "login", "bob", tries=5) == 4
    window.clear(RULE, "login", "alice")
    assert allowed(RULE, "login", "alice", tries=5) == 4
    assert allowed(RULE, "login", "bob", tries=5) == 0


def test_a_rule_can_be_multiplied():
    assert allowed(window.multiplied("2/15minutes", 3), "login", "alice", tries=10) == 6


def test_many_at_once_get_no_more_than_the_rule_allows():
    threads = 16
    barrier = threading.Barrier(threads)

    def run(_):
        barrier.wait(timeout=30)
        return allowed("50/minute", "login", "alice", tries=20)

    with ThreadPoolExecutor(threads) as pool:
        assert sum(pool.map(run, range(threads))) == 50


def test_without_redis_half_is_allowed(settings):
    settings.REDIS_URL = NOBODY_LISTENS
    assert allowed(RULE, "login", "alice-without-redis", tries=10) == 2
    assert allowed("1/minute", "login", "bob-without-redis", tries=10) == 1
    window.clear(RULE, "login", "alice-without-redis")
    window.check(RULE, "login", "alice-without-redis")


def test_windows_that_ran_out_leave_nothing_in_memory(settings):
    settings.REDIS_URL = ""
    storage = window._windows().memory.storage
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        for n in range(100):
            window.hit("1/second", "login", str(n))
        clock.shift(10)
        # What the library's timer does, which leaves the keys behind.
        storage._MemoryStorage__expire_events()
        storage._until_prune = 1
        window.hit("1/second", "login", "the last")
        assert len(storage.events) == 1


@pytest.mark.postgres
def test_processes_share_a_window_through_redis():
    assert allowed(RULE, "login", "alice", tries=3) == 3
    # What another process would start with.
    window._windows_for.cache_clear()
    assert allowed(RULE, "login", "alice", tries=3) == 1
