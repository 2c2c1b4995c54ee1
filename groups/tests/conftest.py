"""What tests of groups share."""

import pytest

from common.limits import window
from groups.tests.people import make_circle


@pytest.fixture(autouse=True)
def _fresh_limits():
    window.forget_everything()


@pytest.fixture
def _quick_passwords(settings):
    """Who deletes an account proves its password; here that need not be slow."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def circle(db):
    return make_circle()
