"""Which web pages may open a socket.

Browsers send the page's origin; it must be one we serve or one the operator listed,
in scheme, host and port. Native clients send none and are let in: no cookie
authenticates a socket, so there is nothing a foreign page could ride on.
"""

from collections.abc import Iterable

from django.conf import settings
from django.http.request import validate_host

from common.hosts import normal_origin

_SCHEMES = {"ws": "http", "wss": "https"}


def origin_is_allowed(headers: Iterable[tuple[bytes, bytes]], scheme: str) -> bool:
    """Whether a handshake with these headers may open a socket. `scheme` is ws or wss."""
    fields = list(headers)
    origins = [value for name, value in fields if name.lower() == b"origin"]
    if not origins:
        return True
    origin = origins[0].decode("latin-1")
    if len(origins) > 1 or normal_origin(origin) != origin:
        # One that browsers spell otherwise, a file's, or that of a page that hides where it
        # is from: those anybody could have.
        return False
    if origin in settings.CORS_ALLOWED_ORIGINS or origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    hosts = [value for name, value in fields if name.lower() == b"host"]
    if len(hosts) != 1:
        return False
    host = hosts[0].decode("latin-1")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    page = "https" if _proxy_ended_tls(fields) else _SCHEMES[scheme]
    return validate_host(name, settings.ALLOWED_HOSTS) and origin == f"{page}://{host}"


def _proxy_ended_tls(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the page came over TLS to the proxy before us, as for REST and the admin."""
    if settings.SECURE_PROXY_SSL_HEADER is None:
        return False
    return [value for name, value in headers if name.lower() == b"x-forwarded-proto"] == [b"https"]
