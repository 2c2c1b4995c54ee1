"""One order of locks everywhere: sessions, users, conversations, memberships, by their ids.

Two transactions that take the same rows in the same order never wait for each other in a
circle. What every service locks is read from PostgreSQL's row headers while it runs.
"""

import pytest
from django.db import connection

from tests.locks import LockRecorder
from tests.test_fail_closed import PREFIX, WRITES, World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(settings):
    return World(settings)


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=str)
def test_no_write_over_rest_breaks_the_order(method, path, body, world):
    path, body = PREFIX + world.fill(path), world.fill(body)
    recorder = LockRecorder()
    with connection.execute_wrapper(recorder):
        answer = getattr(world.device, method)(path, body)
    assert answer.status_code in {200, 201, 202, 204}
    assert recorder.faults == []
