"""Every rule as it is delivered: its burst and no more, its part without Redis, whoever comes."""

from itertools import count
from types import SimpleNamespace

import pytest

from chatbe.settings import env
from common.errors import RateLimited
from common.limits import token_bucket
from common.limits.token_bucket import RULE_SETTINGS, Limit, limit, parse_rule

RULES = {name: parse_rule(env.scheme[name][1]) for name in RULE_SETTINGS}


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told; of the buckets alone, not of the process."""
    now = [1_000.0]
    monkeypatch.setattr(token_bucket, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def taken(of: Limit, key: str) -> int:
    """How many are let through at once."""
    for number in count():
        try:
            of.take(key)
        except RateLimited:
            return number
    raise AssertionError


def made(name: str) -> Limit:
    return Limit(name, RULES[name], shared=name not in token_bucket._OF_ONE_PROCESS)


@pytest.mark.parametrize("name", RULE_SETTINGS)
def test_a_burst_is_as_large_as_its_rule_says_and_comes_back_as_it_says(name, clock):
    rule, one = RULES[name], made(name)
    assert taken(one, "somebody") == rule.burst
    # Whoever comes again under the same key has no more for it; others have their own.
    assert taken(one, "somebody") == 0
    assert taken(one, "somebody else") == rule.burst
    clock[0] += 10 * rule.interval
    assert taken(one, "somebody") == 10
    with pytest.raises(RateLimited) as refused:
        one.take("somebody")
    clock[0] += refused.value.retry_after
    assert taken(one, "somebody") >= 1


@pytest.mark.parametrize(
    "name", [n for n in RULE_SETTINGS if n not in token_bucket._OF_ONE_PROCESS]
)
@pytest.mark.parametrize("processes", [2, 3, 7])
def test_processes_that_cannot_speak_allow_no_more_together_than_one_would(name, processes, clock):
    alone = [made(name) for _ in range(processes)]
    for each in alone:
        each.divide_by(processes)
    at_once = sum(taken(each, "somebody") for each in alone)
    assert at_once <= max(RULES[name].burst, processes)
    clock[0] += 20 * RULES[name].interval
    # Each may have kept a part of one from its burst.
    assert sum(taken(each, "somebody") for each in alone) <= 20 + processes


@pytest.mark.parametrize("name", RULE_SETTINGS)
def test_a_rule_that_is_asked_for_again_is_the_same_one(name, clock):
    """A socket that comes back asks for its limit anew: what its user has used up stays so."""
    assert limit(name) is limit(name)
    key = f"{name} test"
    if limit(name).rule.burst <= 10_000:
        taken(limit(name), key)
        assert taken(limit(name), key) == 0
