"""Where a request comes from, whatever its headers claim (S18)."""

import pytest
from django.test import RequestFactory

from common.addresses import address_key, client_address, network_of, request_address, scope_address

PROXIES = ["10.0.0.0/8", "2001:db8:ffff::1", "192.0.2.1"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        # Nobody is believed who is no proxy of ours.
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),
        ("198.51.100.1", ["10.0.0.1"], "198.51.100.1"),
        # One proxy, two proxies: the first address from the right that is not ours.
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, 192.0.2.1"], "203.0.113.9"),
        ("192.0.2.1", ["203.0.113.9", "10.1.2.3"], "203.0.113.9"),
        # What the client wrote itself stands further left.
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.9, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        # Nothing useful in the header: as far as it can be followed.
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, junk"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        # Forms.
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("2001:db8:ffff::1", ["2001:db8::5"], "2001:db8::5"),
        ("10.0.0.1", ["[2001:db8::5]:443"], "2001:db8::5"),
        ("10.0.0.1", ["203.0.113.9:5000"], "203.0.113.9"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("", ["203.0.113.9"], None),
        (None, ["203.0.113.9"], None),
    ],
)
def test_only_trusted_proxies_are_believed(peer, forwarded, expected, settings):
    settings.TRUSTED_PROXIES = PROXIES
    assert client_address(peer, forwarded) == expected
    scope = {
        "client": (peer, 5000) if peer else None,
        "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded],
    }
    assert scope_address(scope) == expected
    request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=",".join(forwarded))
    assert request_address(request) == expected


def test_without_proxies_no_header_counts(settings):
    settings.TRUSTED_PROXIES = []
    assert client_address("127.0.0.1", ["203.0.113.9"]) == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "key", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        (None, "nowhere", "nowhere"),
        ("", "nowhere", "nowhere"),
    ],
)
def test_what_limits_count_under(address, key, network):
    assert address_key(address) == key
    assert network_of(address) == network
