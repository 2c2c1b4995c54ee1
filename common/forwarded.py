"""The scheme and host of a request as its client used them, in one spelling.

A proxy in between says both in headers, which anybody else could write as well: only a peer
in TRUSTED_PROXIES is believed, and of the others nothing of the kind goes further in. What
comes after this (Django, the check of origins) finds one `Host` and at most one
`X-Forwarded-Proto`, spelled as browsers do.
"""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from common.addresses import is_trusted_peer
from common.hosts import normal_host, split_port

# Proxies name the scheme of a socket now and then.
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_PORTS = {"http": "80", "https": "443"}
_FORWARDED = frozenset({b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port"})
# What may be a host at all; anything else is for those who refuse it.
_HOST = re.compile(r"[\w.:%\[\]-]+|\[[\da-fA-F:.]+(%[\w.~-]+)?\](:\d+)?")

Headers = list[tuple[bytes, bytes]]


def as_the_client_sent_it(scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The scope of a connection with its host and scheme in their one form."""
    headers: Headers = list(scope["headers"])
    said = {name: _first(value) for name, value in reversed(headers) if name in _FORWARDED}
    if not said and not _needs_work(headers):
        return scope
    if not is_trusted_peer(scope):
        said = {}
    own = _SCHEMES.get(scope.get("scheme", "http"), "http")
    scheme = _SCHEMES.get(said.get(b"x-forwarded-proto", "").lower())
    kept: Headers = []
    for name, value in headers:
        if name == b"host":
            value = _host(value, said, scheme or own)  # noqa: PLW2901
        if name not in _FORWARDED:
            kept.append((name, value))
    if scheme is not None:
        kept.append((b"x-forwarded-proto", scheme.encode()))
    return {**scope, "headers": kept}


def _first(value: bytes) -> str:
    """What the proxy next to the client said."""
    return value.decode("latin-1").partition(",")[0].strip()


def _needs_work(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    # The common host is in small letters and has no port, or one that is its own.
    return any(
        name == b"host"
        and not re.fullmatch(rb"[a-z0-9-]+(\.[a-z0-9-]+)*(:(?!443$|80$)\d+)?", value)
        for name, value in headers
    )


def _host(value: bytes, said: Mapping[bytes, str], scheme: str) -> bytes:
    try:
        text = said.get(b"x-forwarded-host") or value.decode()
    except UnicodeDecodeError:
        return value
    if not _HOST.fullmatch(text.strip()):
        return value
    name, port = split_port(normal_host(text))
    port = port or said.get(b"x-forwarded-port", "")
    if not port.isdecimal() or port == _PORTS[scheme]:
        port = ""
    return f"{name}:{port}".encode() if port else name.encode()
