"""What tests of contacts share."""

import pytest

from accounts.tests.rest import device_of, make_user
from common.limits import window
from contacts.signals import pair_changed


@pytest.fixture(autouse=True)
def _fresh_limits():
    window.forget_everything()


@pytest.fixture
def asking(settings):
    """Nobody becomes a contact unasked."""
    settings.CONTACT_POLICY = "request"


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture
def bob():
    return make_user("bob")


@pytest.fixture
def phone(alice):
    """Alice's."""
    return device_of(alice)


@pytest.fixture
def tablet(bob):
    """Bob's."""
    return device_of(bob)


@pytest.fixture
def signals():
    """What higher apps were told: (model, user_ids, may_talk)."""
    told = []

    def receive(sender, user_ids, may_talk, **_):
        told.append((sender.__name__, user_ids, may_talk))

    pair_changed.connect(receive)
    yield told
    pair_changed.disconnect(receive)
