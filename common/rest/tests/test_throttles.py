"""How often REST may be called (S16), and that nobody moves a limit by a header (S18)."""

from itertools import count

import pytest
from rest_framework.test import APIClient

from accounts.tests.rest import device_of, make_user

ME = "/api/v1/me"
TICKET = "/api/v1/auth/ticket"
LOGIN = "/api/v1/auth/login"

_addresses = (f"198.51.100.{number}" for number in count(1))


@pytest.fixture
def address():
    """One that nobody else comes from."""
    return next(_addresses)


def statuses(call, tries):
    return [call().status_code for _ in range(tries)]


@pytest.mark.django_db
def test_a_user_may_read_so_often_from_all_devices_together(settings):
    settings.REST_READS_PER_USER = "4+1/hour"
    alice = make_user()
    phone, tablet = device_of(alice), device_of(alice)
    assert statuses(lambda: phone.get(ME), 3) == [200] * 3
    assert statuses(lambda: tablet.get(ME), 3) == [200, 429, 429]
    assert statuses(lambda: device_of(make_user()).get(ME), 1) == [200]


@pytest.mark.django_db
def test_reads_and_writes_are_counted_apart(settings):
    settings.REST_READS_PER_USER = settings.REST_WRITES_PER_USER = "2+1/hour"
    phone = device_of(make_user())
    assert statuses(lambda: phone.get(ME), 3) == [200, 200, 429]
    assert statuses(lambda: phone.post(TICKET), 3) == [201, 201, 429]


@pytest.mark.django_db
def test_the_refusal_says_how_long_to_wait(settings):
    settings.REST_READS_PER_USER = "1+1/hour"
    phone = device_of(make_user())
    phone.get(ME)
    refused = phone.get(ME)
    body = refused.json()
    assert (body["code"], body["retry"]) == ("rate_limited", True)
    assert 3590 < body["retry_after"] <= 3601
    assert body["retry_after"] <= int(refused["Retry-After"]) <= 3601


@pytest.mark.django_db
def test_an_address_is_counted_before_anybody_is_known(settings, address):
    settings.REST_READS_PER_ADDRESS = "3+1/hour"
    stranger = APIClient(REMOTE_ADDR=address, HTTP_AUTHORIZATION="Bearer wrong")
    assert statuses(lambda: stranger.get(ME), 5) == [401, 401, 401, 429, 429]
    answer = stranger.get(ME)
    assert answer.json()["code"] == "rate_limited"
    assert int(answer["Retry-After"]) > 3500
    known = device_of(make_user())
    known.defaults["REMOTE_ADDR"] = address
    assert known.get(ME).status_code == 429


@pytest.mark.django_db
def test_a_forged_header_moves_no_limit(settings, address):
    settings.REST_WRITES_PER_ADDRESS = "3+1/hour"
    numbers = count(1)

    def forged():
        return APIClient(
            REMOTE_ADDR=address,
            HTTP_X_FORWARDED_FOR=f"203.0.113.{next(numbers)}",
            HTTP_X_REAL_IP=f"203.0.113.{next(numbers)}",
            HTTP_FORWARDED=f"for=203.0.113.{next(numbers)}",
        ).post(LOGIN, {})

    assert statuses(forged, 5) == [400, 400, 400, 429, 429]


@pytest.mark.django_db
def test_behind_a_trusted_proxy_each_client_counts_for_itself(settings, address):
    settings.TRUSTED_PROXIES = [address]
    settings.REST_WRITES_PER_ADDRESS = "2+1/hour"
    for last in (7, 8):
        client = APIClient(REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR=f"1.1.1.1, 203.0.113.{last}")
        assert statuses(lambda client=client: client.post(LOGIN, {}), 3) == [400, 400, 429]


@pytest.mark.django_db
@pytest.mark.parametrize("off", ["", "0"])
def test_a_limit_can_be_switched_off(settings, address, off):
    settings.REST_READS_PER_ADDRESS = settings.REST_READS_PER_USER = off
    phone = device_of(make_user())
    phone.defaults["REMOTE_ADDR"] = address
    assert statuses(lambda: phone.get(ME), 20) == [200] * 20


def test_health_is_not_counted(settings, address, client):
    settings.REST_READS_PER_ADDRESS = "1+1/hour"
    assert statuses(lambda: client.get("/healthz", REMOTE_ADDR=address), 5) == [200] * 5
