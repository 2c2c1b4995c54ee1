"""What tests of all apps share."""

from random import Random

import pytest
from django.db import connections
from hypothesis import HealthCheck
from hypothesis import settings as property_settings

from tests.kit.secret_scan import secrets_in
from tests.kit.servers import QUICK_HASH_KIB, RAISED
from tests.kit.site import TestSites

# How long an example takes says something about the machine, not about the product.
property_settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
property_settings.load_profile("suite")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Whatever else a test is about: it fails when a secret was written to the log (S29)."""
    report = yield
    logged = [text for title, text in report.sections if "log" in title]
    found = secrets_in("\n".join(logged))
    if found and report.passed:
        report.outcome = "failed"
        report.longrepr = "\n".join(["Secrets in the log:", *found])
    return report


@pytest.fixture(autouse=True)
def _made_for_tests(settings):
    """Tests at the REST door of this process are quicker than people, and share an address."""
    settings.PASSWORD_HASH_KIB = QUICK_HASH_KIB
    for name, rule in RAISED.items():
        setattr(settings, name, rule)
    # Reads the settings when imported, which pytest-django has to set up first.
    from common.limits import window  # noqa: PLC0415

    # What is counted for their address, others would have taken.
    window.forget_everything()


@pytest.fixture(scope="session", autouse=True)
def _no_connection_outlives_its_call():
    """This process's threads serve all tests in turn, and most of these may use no database."""
    connections.settings["default"]["CONN_MAX_AGE"] = 0


@pytest.fixture(autouse=True)
def _ends_settled(_django_db_marker):
    """No work of one test goes on in the next. Ends before the tables are emptied."""
    from tests.kit.settled import settle  # noqa: PLC0415 - as below

    yield
    settle()


@pytest.fixture(scope="session", autouse=True)
def _patience_with_redis():
    """A busy machine is late by more than half a second; without Redis half as much is allowed."""
    from common.limits import shared, socket_leases, window  # noqa: PLC0415 - as above
    from presence import redis_store  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "_REDIS_TIMEOUT_SECONDS", 5.0)
        for module in (socket_leases, redis_store, shared):
            patch.setattr(module, "REDIS_TIMEOUT_SECONDS", 5.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def _dice_of_the_background():
    """Hypothesis watches the common ones: whoever throws them while it draws, draws by them."""
    from presence import subscriptions  # noqa: PLC0415
    from realtime import sweep  # noqa: PLC0415 - as above

    with pytest.MonkeyPatch.context() as patch:
        for module in (sweep, subscriptions):
            patch.setattr(module, "random", Random())  # noqa: S311 - pauses, not secrets
        yield


@pytest.fixture(scope="session")
def _nobody_is_connected():
    """A connection from before the test database is made would be one to another database.

    Loops in the background are let at it while it is made, and their pool is everybody's.
    """
    # Reads the settings when imported, which pytest-django has to set up first.
    from realtime.node import stop_background  # noqa: PLC0415

    stop_background()
    if connections["default"].vendor == "postgresql":
        connections["default"].close_pool()


@pytest.fixture(scope="session")
def django_db_setup(_nobody_is_connected, django_db_setup, django_db_blocker):
    """The test database. Before it goes, this process's node hands its connections back."""
    from tests.kit.post_migrate_rows import keep_leavings  # noqa: PLC0415 - as below
    from tests.kit.settled import flush_that_repeats  # noqa: PLC0415 - as below

    with pytest.MonkeyPatch.context() as patch:
        flush_that_repeats(patch)
        with django_db_blocker.unblock():
            keep_leavings(patch)
        yield
    # Reads the settings when imported, which pytest-django has to set up first.
    from realtime.node import stop_background  # noqa: PLC0415

    stop_background()


@pytest.fixture(scope="session")
def _sites():
    with TestSites() as sites:
        yield sites


@pytest.fixture
def site(_sites):
    """A running server with people."""
    return _sites.get("serve")
