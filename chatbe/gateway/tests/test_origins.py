"""Which pages may open a socket: exact in scheme, host and port, or none at all."""

import pytest

from chatbe.gateway.origins import origin_is_allowed

HOST = b"chat.example.org"
ALLOWED = [
    None,
    b"http://chat.example.org",
    b"https://app.example.org",
    b"https://admin.example.org:8443",
]
REFUSED = [
    b"null",
    b"",
    b"http://evil.example",
    b"https://chat.example.org",
    b"http://chat.example.org:80",
    b"http://chat.example.org:8000",
    b"http://chat.example.org.evil.example",
    b"http://evil-chat.example.org",
    b"http://chat.example.org@evil.example",
    b"http://chat.example.org/",
    b"http://chat.example.org/path",
    b"http://CHAT.example.org",
    b" http://chat.example.org",
    b"http://chat.example.org\x0b",
    b"http://chat.example.org\x85",
    b"http://chat.example.org\r\nX: y",
    b"http://chat.example.org http://evil.example",
    b"chat.example.org",
    b"//chat.example.org",
    b"ws://chat.example.org",
    b"file://",
    b"http://app.example.org",
    b"https://app.example.org:444",
    b"https://sub.app.example.org",
    b"https://admin.example.org",
    b"http://chat\xc3\xa9.example.org",
]


@pytest.fixture(autouse=True)
def origins(settings):
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://admin.example.org:8443"]


def headers(origin):
    return [(b"host", HOST), *([] if origin is None else [(b"origin", origin)])]


@pytest.mark.parametrize("origin", ALLOWED)
def test_listed_and_own_origins_and_native_clients_are_let_in(origin):
    assert origin_is_allowed(headers(origin), "ws")


@pytest.mark.parametrize("origin", REFUSED)
def test_every_other_origin_is_refused(origin):
    assert not origin_is_allowed(headers(origin), "ws")


def test_two_origins_or_two_hosts_are_refused():
    twice = [*headers(b"http://chat.example.org"), (b"origin", b"http://chat.example.org")]
    assert not origin_is_allowed(twice, "ws")
    assert not origin_is_allowed([(b"host", b"other"), *headers(b"http://chat.example.org")], "ws")


def test_a_host_we_do_not_serve_makes_no_origin_ours():
    assert not origin_is_allowed(
        [(b"host", b"evil.example"), (b"origin", b"http://evil.example")], "ws"
    )


def test_the_scheme_counts():
    assert origin_is_allowed([(b"host", HOST), (b"origin", b"https://chat.example.org")], "wss")
    assert not origin_is_allowed(headers(b"http://chat.example.org"), "wss")
