"""Conversations filled by SQL are as consistent as those the product writes."""

import pytest

from benchmarks.filling import Filled
from benchmarks.tests.suite_target import target_of
from benchmarks.workloads import history

COUNTS = [2_000, 700, 50]


@pytest.mark.postgres
def test_a_filled_log_is_what_appends_would_have_made():
    with target_of(Filled) as target:
        target.prepare(*history.layout({}))
        target.fill(COUNTS)

        checked = target.manage("check_log")
        assert "Checked 3 conversations: all is well." in checked
        with target.server() as server:
            assert target.history_faults(server, {}) == 0
