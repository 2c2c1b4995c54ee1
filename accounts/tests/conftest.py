"""What tests of accounts share."""

import pytest

from accounts.mail import queue
from common.limits import window


@pytest.fixture(autouse=True)
def _empty_limits():
    window.forget_everything()


@pytest.fixture(autouse=True)
def _no_mail_is_left():
    """A mail on its way would arrive in the next test."""
    yield
    queue.finish(60)
