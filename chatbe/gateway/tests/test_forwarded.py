"""Scheme, host and port as the client used them, whatever a proxy makes of their spelling."""

import pytest

from chatbe.gateway.origins import origin_is_allowed
from common.forwarded import as_the_client_sent_it
from common.hosts import normal_allowed_host, normal_domain, normal_origin

# Nothing here depends on the database behind it.
pytestmark = pytest.mark.embedded_only

HOST = "chat.example.org"

HOSTS = [
    (HOST, HOST),
    ("CHAT.Example.ORG", HOST),
    ("chat.example.org.", HOST),
    ("chat.example.org:80", HOST),
    ("chat.example.org:", HOST),
    ("chat.example.org:8000", "chat.example.org:8000"),
    ("Chat.Example.org.:8000", "chat.example.org:8000"),
    (" chat.example.org ", HOST),
    ("münchen.example", "xn--mnchen-3ya.example"),
    ("xn--MNCHEN-3ya.example", "xn--mnchen-3ya.example"),
    ("[::1]", "[::1]"),
    ("[::1]:80", "[::1]"),
    ("[2001:DB8:0:0::1]:8443", "[2001:db8::1]:8443"),
    ("[fe80::1%25eth0]:8443", "[fe80::1]:8443"),
    ("127.0.0.1:8000", "127.0.0.1:8000"),
    # What is no host is left to those who refuse it.
    ("evil@chat.example.org", "evil@chat.example.org"),
    ("chat.example.org/x", "chat.example.org/x"),
    ("a b", "a b"),
    ("", ""),
]
# What a proxy says of scheme, host and port, and what becomes of it.
FORWARDED = [
    ({"proto": "https"}, "https", HOST),
    ({"proto": "HTTPS"}, "https", HOST),
    ({"proto": " https "}, "https", HOST),
    ({"proto": "https,http"}, "https", HOST),
    ({"proto": "https, http"}, "https", HOST),
    ({"proto": "http"}, "http", HOST),
    ({"proto": "http,https"}, "http", HOST),
    ({"proto": "wss"}, "https", HOST),
    ({"proto": "ftp"}, None, HOST),
    ({"proto": ""}, None, HOST),
    ({"proto": "https", "host": "Talk.Example.org"}, "https", "talk.example.org"),
    ({"proto": "https", "host": "talk.example.org:443"}, "https", "talk.example.org"),
    ({"proto": "https", "host": "talk.example.org, inner:8000"}, "https", "talk.example.org"),
    ({"proto": "https", "host": "talk.example.org", "port": "443"}, "https", "talk.example.org"),
    ({"proto": "https", "port": "8443"}, "https", f"{HOST}:8443"),
    ({"proto": "https", "port": "8443, 80"}, "https", f"{HOST}:8443"),
    ({"proto": "https", "port": "x"}, "https", HOST),
    ({"proto": "https", "host": "[2001:DB8::1]", "port": "8443"}, "https", "[2001:db8::1]:8443"),
    ({"proto": "https", "host": "a b"}, "https", HOST),
    ({"host": "talk.example.org:80"}, None, "talk.example.org"),
]
ORIGINS = [
    ("https://app.example.com", "https://app.example.com"),
    ("HTTPS://App.Example.com:443/", "https://app.example.com"),
    ("https://app.example.com.", "https://app.example.com"),
    ("https://app.example.com:8443", "https://app.example.com:8443"),
    ("http://app.example.com:80", "http://app.example.com"),
    ("https://bücher.example", "https://xn--bcher-kva.example"),
    ("https://[2001:DB8:0::1]:443", "https://[2001:db8::1]"),
    (" https://app.example.com ", "https://app.example.com"),
    ("capacitor://localhost", "capacitor://localhost"),
    ("ionic://localhost", "ionic://localhost"),
    ("tauri://localhost", "tauri://localhost"),
    ("app://chat", "app://chat"),
    ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
    ("null", None),
    ("file://", None),
    ("data:text/html,x", None),
    ("https://", None),
    ("https://app.example.com/path", None),
    ("https://app.example.com?x", None),
    ("https://user@app.example.com", None),
    ("https://app.example.com:99999", None),
    ("app.example.com", None),
    ("", None),
]
ALLOWED_HOSTS = [
    ("Chat.Example.org", HOST),
    ("chat.example.org.", HOST),
    ("chat.example.org:8000", HOST),
    ("https://chat.example.org/", HOST),
    ("münchen.example", "xn--mnchen-3ya.example"),
    (".Example.org", ".example.org"),
    ("::1", "[::1]"),
    ("[::1]:8000", "[::1]"),
    ("10.0.0.5:8000", "10.0.0.5"),
    ("*", "*"),
]


def seen(sent, /, peer="10.0.0.5", scheme="http", **said):
    """(scheme, host) that what lies behind finds."""
    headers = [] if sent is None else [(b"host", sent.encode())]
    headers += [(f"x-forwarded-{name}".encode(), value.encode()) for name, value in said.items()]
    scope = {"type": "http", "scheme": scheme, "client": (peer, 1), "headers": headers}
    found = dict(as_the_client_sent_it(scope)["headers"])
    names = {name for name in found if name.startswith(b"x-forwarded")}
    assert names <= {b"x-forwarded-proto", b"x-forwarded-for"}
    proto = found.get(b"x-forwarded-proto")
    return proto and proto.decode(), found.get(b"host", b"").decode()


@pytest.fixture(autouse=True)
def _installed(settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "2001:db8::/32"]
    settings.ALLOWED_HOSTS = [HOST]
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com", "capacitor://localhost"]
    settings.CSRF_TRUSTED_ORIGINS = []
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


@pytest.mark.parametrize(("sent", "host"), HOSTS)
def test_a_host_has_one_spelling(sent, host):
    assert seen(sent, peer="203.0.113.1") == (None, host)


@pytest.mark.parametrize(("said", "scheme", "host"), FORWARDED)
def test_what_a_trusted_proxy_says_has_one_spelling(said, scheme, host):
    assert seen(HOST, **said) == (scheme, host)
    assert seen(HOST, peer="2001:db8::5", **said) == (scheme, host)


@pytest.mark.parametrize(("said", "scheme", "host"), FORWARDED)
def test_what_anybody_else_says_goes_no_further(said, scheme, host):
    assert seen(HOST, peer="203.0.113.1", **said) == (None, HOST)


def test_the_port_that_https_has_anyway_is_left_out():
    assert seen(f"{HOST}:443", proto="https") == ("https", HOST)
    assert seen(f"{HOST}:443") == (None, f"{HOST}:443")
    assert seen(f"{HOST}:443", scheme="https") == (None, HOST)
    assert seen(f"{HOST}:443", scheme="wss") == (None, HOST)
    assert seen(None, proto="https") == ("https", "")


def test_what_needs_nothing_is_handed_on_as_it_is():
    scope = {"type": "http", "headers": [(b"host", HOST.encode()), (b"accept", b"*/*")]}
    assert as_the_client_sent_it(scope) is scope


@pytest.mark.parametrize("proto", ["https", "HTTPS", "https,http", "wss"])
@pytest.mark.parametrize("host", [HOST, "CHAT.example.ORG.", f"{HOST}:443"])
def test_our_page_opens_a_socket_however_the_proxy_spells_it(proto, host):
    headers = [(b"host", host.encode()), (b"origin", f"https://{HOST}".encode())]
    headers.append((b"x-forwarded-proto", proto.encode()))
    scope = {"type": "websocket", "scheme": "ws", "client": ("10.0.0.5", 1), "headers": headers}
    found = as_the_client_sent_it(scope)
    assert origin_is_allowed(found["headers"], "ws")
    # Another peer is nobody's proxy.
    scope["client"] = ("203.0.113.1", 1)
    assert not origin_is_allowed(as_the_client_sent_it(scope)["headers"], "ws")


@pytest.mark.parametrize(("entry", "origin"), ORIGINS)
def test_an_origin_in_a_setting_has_one_spelling(entry, origin):
    assert normal_origin(entry) == origin


@pytest.mark.parametrize(("entry", "host"), ALLOWED_HOSTS)
def test_a_host_in_a_setting_has_one_spelling(entry, host):
    assert normal_allowed_host(entry) == host


@pytest.mark.parametrize("origin", ["capacitor://localhost", "https://app.example.com"])
def test_an_app_that_is_listed_may_open_a_socket(origin):
    assert origin_is_allowed([(b"host", HOST.encode()), (b"origin", origin.encode())], "wss")


@pytest.mark.parametrize(
    "origin", ["null", "tauri://localhost", "capacitor://localhost.evil", "file://"]
)
def test_others_may_not_whatever_the_settings_say(settings, origin):
    if origin in {"null", "file://"}:
        settings.CORS_ALLOWED_ORIGINS = [origin]
        settings.CSRF_TRUSTED_ORIGINS = [origin]
    assert not origin_is_allowed([(b"host", HOST.encode()), (b"origin", origin.encode())], "wss")


def test_a_name_too_long_for_dns_stays_what_it_is():
    assert normal_domain("x" * 70 + ".Example") == "x" * 70 + ".example"
