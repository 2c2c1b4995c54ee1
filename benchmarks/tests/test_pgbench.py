"""Parsing of pgbench's output."""

import pytest

from benchmarks.pgbench import latencies, transactions_per_second

REPORT = """\
number of transactions actually processed: 8545
latency average = 0.234 ms
initial connection time = 5.124 ms
tps = 4271.918232 (without initial connection time)
"""


def test_the_rate_is_that_after_the_clients_were_connected():
    assert transactions_per_second(REPORT) == pytest.approx(4271.918232)


def test_latencies_are_seconds_in_order_and_begin_when_the_statement_did():
    assert latencies("0 1 900 0 1700000000 1\n0 2 250 0 1700000000 2\n") == [0.00025, 0.0009]
    # With a rate: due 700 µs before it began.
    assert latencies("0 1 1000 0 1700000000 1 700\n") == [0.0003]
