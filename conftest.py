"""What tests of all apps share."""

import pytest
from django.db import connection

from tests.stage import KINDS, Stages


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """The test database. Before it goes, the log writer's lanes hand their connections back."""
    yield
    from conversations import writer

    if writer._writer is not None:
        for lane in writer._writer[1]._lanes:
            lane._thread.submit(_close_connection).result(timeout=10)


def _close_connection():
    # Looked up in the thread that runs this: each has its own.
    connection.close()


@pytest.fixture(scope="session")
def _stages():
    with Stages() as stages:
        yield stages


@pytest.fixture(params=KINDS)
def stage(request, _stages):
    """A running server with people: once `manage.py serve`, once daphne's `runserver`."""
    return _stages.get(request.param)


@pytest.fixture
def served(_stages):
    """The same, only `manage.py serve`."""
    return _stages.get("serve")
