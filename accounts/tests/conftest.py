"""What tests of accounts share."""

import pytest

from accounts import post_office
from chatbe.core import limits


@pytest.fixture(autouse=True)
def _empty_limits():
    limits.forget_everything()


@pytest.fixture(autouse=True)
def _no_mail_is_left():
    """A mail on its way would arrive in the next test."""
    yield
    post_office.finish(60)
