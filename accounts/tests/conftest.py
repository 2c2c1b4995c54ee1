"""What tests of accounts share."""

import pytest

from chatbe.core import limits


@pytest.fixture(autouse=True)
def _empty_limits():
    limits.forget_everything()
