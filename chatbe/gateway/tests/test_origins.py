"""Which pages may open a socket (S2): scheme, host and port exactly, or no page at all."""

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from chatbe.gateway.origins import origin_is_allowed

# Nothing here depends on the database behind it.
pytestmark = pytest.mark.embedded_only

HOST = "chat.example.org"

ALLOWED = {
    "a native client": ("wss", [HOST], []),
    "our page": ("wss", [HOST], ["https://chat.example.org"]),
    "our page without TLS": ("ws", [f"{HOST}:8000"], ["http://chat.example.org:8000"]),
    "our page at another port": ("wss", [f"{HOST}:8443"], ["https://chat.example.org:8443"]),
    "an IPv6 address": ("ws", ["[::1]:8000"], ["http://[::1]:8000"]),
    "a listed page": ("wss", [HOST], ["https://app.example.com"]),
    "a page listed with its port": ("wss", [HOST], ["https://office.example.com:8443"]),
}
REFUSED = {
    "null": ("wss", [HOST], ["null"]),
    "empty": ("wss", [HOST], [""]),
    "a star": ("wss", [HOST], ["*"]),
    "another site": ("wss", [HOST], ["https://evil.example"]),
    "http instead of https": ("wss", [HOST], ["http://chat.example.org"]),
    "https instead of http": ("ws", [HOST], ["https://chat.example.org"]),
    "the socket's scheme": ("wss", [HOST], ["wss://chat.example.org"]),
    "another port": ("wss", [HOST], ["https://chat.example.org:444"]),
    "a port too many": ("wss", [HOST], ["https://chat.example.org:443"]),
    "the port missing": ("wss", [f"{HOST}:8443"], ["https://chat.example.org"]),
    "a longer port": ("wss", [f"{HOST}:80"], ["https://chat.example.org:8000"]),
    "our name before theirs": ("wss", [HOST], ["https://chat.example.org.evil.example"]),
    "our name after theirs": ("wss", [HOST], ["https://evilchat.example.org"]),
    "a name below ours": ("wss", [HOST], ["https://x.chat.example.org"]),
    "the name above ours": ("wss", [HOST], ["https://example.org"]),
    "our name as a user": ("wss", [HOST], ["https://chat.example.org@evil.example"]),
    "our name behind a hash": ("wss", [HOST], ["https://evil.example#chat.example.org"]),
    "a slash at the end": ("wss", [HOST], ["https://chat.example.org/"]),
    "a space before it": ("wss", [HOST], [" https://chat.example.org"]),
    "capitals": ("wss", [HOST], ["HTTPS://CHAT.EXAMPLE.ORG"]),
    "a smuggled vertical tab": ("wss", [HOST], ["https://evil.example\x0bhttps://" + HOST]),
    "a smuggled line break": ("wss", [HOST], ["https://chat.example.org\x85x"]),
    "letters that look alike": ("wss", [HOST], ["https://chаt.example.org"]),
    "two origins in one": ("wss", [HOST], ["https://chat.example.org https://evil.example"]),
    "two headers": ("wss", [HOST], ["https://chat.example.org", "https://chat.example.org"]),
    "a file": ("wss", [HOST], ["file://"]),
    "an extension": ("wss", [HOST], ["chrome-extension://abcdef"]),
    "a listed page at another port": ("wss", [HOST], ["https://app.example.com:8443"]),
    "a listed page without TLS": ("wss", [HOST], ["http://app.example.com"]),
    "a name rebound to our address": ("wss", ["evil.example"], ["https://evil.example"]),
    "two hosts": ("wss", [HOST, "evil.example"], ["https://evil.example"]),
    "no host": ("wss", [], ["https://chat.example.org"]),
    "a host with a user": ("wss", [f"evil@{HOST}"], [f"https://evil@{HOST}"]),
}


@pytest.fixture
def _hosts(settings):
    settings.ALLOWED_HOSTS = [HOST, "[::1]"]
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://office.example.com:8443"]


def is_allowed(scheme, hosts, origins):
    headers = [(b"host", host.encode()) for host in hosts]
    headers += [(b"origin", origin.encode()) for origin in origins]
    return origin_is_allowed(headers, scheme)


@pytest.mark.usefixtures("_hosts")
@pytest.mark.parametrize("case", ALLOWED.values(), ids=ALLOWED)
def test_these_may_open_a_socket(case):
    assert is_allowed(*case)


@pytest.mark.usefixtures("_hosts")
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_these_may_not(case):
    assert not is_allowed(*case)


@pytest.mark.usefixtures("_hosts")
def test_the_name_of_the_header_may_be_written_in_any_way():
    headers = [(b"Host", HOST.encode()), (b"Origin", b"https://evil.example")]
    assert not origin_is_allowed(headers, "wss")


@pytest.mark.usefixtures("_hosts")
def test_behind_a_proxy_that_ends_tls_our_page_is_an_https_page(settings):
    ours = [(b"host", HOST.encode()), (b"origin", f"https://{HOST}".encode())]
    plain = [(b"host", HOST.encode()), (b"origin", f"http://{HOST}".encode())]
    over_tls = [(b"x-forwarded-proto", b"https")]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert origin_is_allowed([*ours, *over_tls], "ws")
    assert not origin_is_allowed(ours, "ws")
    assert not origin_is_allowed([*plain, *over_tls], "ws")
    assert not origin_is_allowed([*ours, *over_tls, (b"x-forwarded-proto", b"http")], "ws")
    settings.SECURE_PROXY_SSL_HEADER = None
    assert not origin_is_allowed([*ours, *over_tls], "ws")


def test_there_are_more_than_twenty_five_origins():
    assert len(ALLOWED) + len(REFUSED) > 25


async def test_our_page_opens_a_socket_and_another_does_not(site):
    address = f"ws://{site.address}/ws/v1/"
    async with connect(address, origin=Origin(f"http://{site.address}")) as socket:
        await socket.send("{")
        assert '"bad_frame"' in await socket.recv()
    async with connect(address) as socket:
        await socket.send("{")
        assert '"bad_frame"' in await socket.recv()
    for origin in ("http://evil.example", f"https://{site.address}", "null", ""):
        with pytest.raises(InvalidStatus) as refusal:
            await connect(address, additional_headers={"Origin": origin})
        # An origin that is none at all daphne refuses before we are asked.
        assert refusal.value.response.status_code in {400, 403}, origin
