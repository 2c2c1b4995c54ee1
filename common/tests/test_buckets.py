"""Allowances by the second, as one process counts them. Doors: tests/test_rates.py."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.errors import RateLimited
from common.limits import token_bucket
from common.limits.token_bucket import Limit, limit, parse_rule, rule_problems

START = 1000.0


def make_limit(text, *, shared=True):
    return Limit("a_limit", parse_rule(text), shared=shared)


@pytest.fixture(autouse=True)
def _one_process(monkeypatch):
    """Whatever the last server of this process took itself for a part of."""
    monkeypatch.setattr(token_bucket, "_processes", 1)


def taken(bucket, now, tries):
    """How many of so many tries at this moment were allowed."""
    count = 0
    for _ in range(tries):
        if not bucket.wait(now):
            bucket.charge(now)
            count += 1
    return count


@pytest.mark.parametrize(
    ("text", "interval", "burst"),
    [
        ("20/second", 0.05, 20),
        ("200+20/second", 0.05, 200),
        (" 1+30/minute ", 2.0, 1),
        ("10/hour", 360.0, 10),
        ("", 0.0, 1),
        ("0", 0.0, 1),
    ],
)
def test_a_rule_is_a_burst_and_a_rate(text, interval, burst):
    assert parse_rule(text) == (interval, burst)


@pytest.mark.parametrize(
    "text", ["20", "20/day", "-1/second", "0/second", "5+/second", "1.5/second"]
)
def test_what_is_no_rule_is_refused_at_start(text, settings):
    with pytest.raises(ValueError, match="is no rule"):
        parse_rule(text)
    settings.COMMANDS_PER_USER = text
    [problem] = rule_problems()
    assert problem.startswith("COMMANDS_PER_USER: ")


@pytest.mark.parametrize("text", ["20/second", "200+20/second", "3+7/second", "1+1/minute"])
def test_the_burst_comes_at_once_and_the_rest_at_the_rate(text):
    rule = parse_rule(text)
    bucket = make_limit(text).bucket("alice")
    assert taken(bucket, START, 1000) == rule.burst
    after = START
    for _ in range(5):
        after += rule.interval
        assert taken(bucket, after, 1000) == 1
    assert taken(bucket, after + 10_000, 1000) == rule.burst


def test_whoever_waits_as_long_as_told_is_let_through():
    bucket = make_limit("7+3/second").bucket("alice")
    now = START
    for _ in range(200):
        wait = bucket.wait(now)
        if wait:
            now += bucket.limit.refusal(wait).retry_after
        assert not bucket.wait(now)
        bucket.charge(now)


def test_what_was_refused_costs_nothing():
    bucket = make_limit("10+1/second").bucket("alice")
    taken(bucket, START, 10)
    wait = bucket.wait(START)
    assert taken(bucket, START, 1000) == 0
    assert bucket.wait(START) == wait


def test_without_a_rule_everything_is_allowed():
    bucket = make_limit("0").bucket("alice")
    assert taken(bucket, START, 10_000) == 10_000


def test_one_of_several_processes_allows_its_part_and_at_least_one():
    limit = make_limit("30+3/second")
    limit.divide_by(3)
    assert taken(limit.bucket("alice"), START, 100) == 10
    assert taken(limit.bucket("alice"), START + 1, 100) == 1
    small = make_limit("2+1/second")
    small.divide_by(4)
    assert taken(small.bucket("bob"), START, 100) == 1
    limit.divide_by(1)
    assert taken(limit.bucket("carol"), START, 100) == 30


def test_what_only_one_process_counts_is_not_divided():
    limit = make_limit("30+3/second", shared=False)
    limit.divide_by(3)
    assert taken(limit.bucket("alice"), START, 100) == 30
    assert not limit.due


def test_an_eighth_of_a_burst_is_worth_telling():
    limit = make_limit("80+1/second")
    for key in "alice", "bob":
        taken(limit.bucket(key), START, 9)
    taken(limit.bucket("carol"), START, 10)
    assert [(bucket.key, bucket.taken) for bucket in limit.due] == [("carol", 10)]


def test_whole_buckets_are_forgotten(monkeypatch):
    monkeypatch.setattr(token_bucket, "_PRUNE_EVERY", 50)
    limit = make_limit("10+1/second")
    for key in range(49):
        limit.bucket(key).charge(START - 1_000_000)
    limit.take("kept")
    assert set(limit._buckets) == {"kept"}


def test_of_many_threads_no_more_get_through_than_are_allowed():
    limit = make_limit("50+1/hour")
    barrier = threading.Barrier(8)

    def run(_):
        barrier.wait(timeout=30)
        return sum(allowed() for _ in range(20))

    def allowed():
        try:
            limit.take("alice")
        except RateLimited:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(run, range(8))) == 50


def test_a_changed_setting_is_another_limit(settings):
    settings.COMMANDS_PER_USER = "1+1/hour"
    limit("COMMANDS_PER_USER").take("alice")
    with pytest.raises(RateLimited):
        limit("COMMANDS_PER_USER").take("alice")
    settings.COMMANDS_PER_USER = ""
    limit("COMMANDS_PER_USER").take("alice")
