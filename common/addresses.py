"""Which address a request or socket comes from, when there may be proxies in between.

Anybody can write an X-Forwarded-For header. Only a peer listed in TRUSTED_PROXIES is
believed, and of the header only what trusted proxies wrote: from the right, up to and
including the first address that is not one of theirs.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Longer than any address with its zone and port: what is remembered of them has a bound.
_TEXT_MAX = 128
_REMEMBERED = 4_096


def request_address(request: HttpRequest) -> str | None:
    """The client's address of an HTTP request; None when the peer has none (a Unix socket)."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return client_address(request.META.get("REMOTE_ADDR"), [forwarded])


def scope_address(scope: Mapping[str, Any]) -> str | None:
    """The same of an ASGI scope, for sockets."""
    client = scope.get("client")
    forwarded = [
        value.decode("latin-1")
        for name, value in scope.get("headers", ())
        if name == b"x-forwarded-for"
    ]
    return client_address(client[0] if client else None, forwarded)


def client_address(peer: str | None, forwarded: Iterable[str]) -> str | None:
    """The client's address, given the peer's and the X-Forwarded-For headers in their order."""
    address = _parse(peer or "")
    if address is None:
        return None
    hops = ",".join(forwarded).split(",")
    while hops and _is_trusted(address):
        further = _parse(hops.pop())
        if further is None:
            break
        address = further
    return str(address)


def is_trusted_peer(scope: Mapping[str, Any]) -> bool:
    """Whether the other end of an ASGI connection is one of TRUSTED_PROXIES."""
    client = scope.get("client")
    address = _parse(client[0] if client else "")
    return address is not None and _is_trusted(address)


def address_key(address: str | None) -> str:
    """What a limit per address counts under: the address, or the /64 that one IPv6 user has."""
    return _network(address, ipv4_bits=32)


def network_of(address: str | None) -> str:
    """The neighbourhood of an address: the /24 of IPv4, the /64 of IPv6."""
    return _network(address, ipv4_bits=24)


def site_of(address: str | None) -> str:
    """Whose addresses are likely one customer's: the /24 of IPv4, the /48 of IPv6."""
    return _network(address, ipv4_bits=24, ipv6_bits=48)


def _network(address: str | None, *, ipv4_bits: int, ipv6_bits: int = 64) -> str:
    parsed = _parse(address or "")
    if parsed is None:
        return "nowhere"
    return _network_around(parsed, ipv4_bits if parsed.version == 4 else ipv6_bits)


@lru_cache(maxsize=_REMEMBERED)
def _network_around(address: Address, bits: int) -> str:
    return str(ip_network(f"{address}/{bits}", strict=False))


def _parse(text: str) -> Address | None:
    text = text.strip()
    return None if len(text) > _TEXT_MAX else _parse_short(text)


@lru_cache(maxsize=_REMEMBERED)
def _parse_short(text: str) -> Address | None:
    if text.startswith("["):
        # An IPv6 address with a port: [2001:db8::1]:443
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if address.version == 6 else None) or address


@lru_cache(maxsize=8)
def _trusted_networks(entries: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(entry.strip(), strict=False) for entry in entries)


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in _trusted_networks(tuple(settings.TRUSTED_PROXIES)))
