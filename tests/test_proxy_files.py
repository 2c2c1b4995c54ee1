"""The proxies of deploy/ where no server can be reached, and where they are called by other names."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.kit.proxies import PROXIES
from tools import programs

pytestmark = [pytest.mark.embedded_only, pytest.mark.slow]

CODE = "CODE-THAT-OPENS-A-SOCKET"
# As a client may write it, or a stranger who wants it to be logged.
SOCKETS = ("/v1/ws", "/v1/ws/", "/v1/w%73", "//v1/ws", "/v1/./ws")
STRANGE = ("evil.example.org", "evil.example.org:80", "127.0.0.1.evil.example.org", "", "[::1]")


@pytest.fixture(params=PROXIES, scope="module")
def proxy(request):
    """A proxy whose servers are down."""
    if programs.find(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    with PROXIES[request.param](["127.0.0.1:9", "127.0.0.1:19"]) as proxy:
        yield proxy


def ask(url, **headers):
    return requests.get(url, headers=headers, timeout=20, allow_redirects=False)


def test_no_log_has_the_code_of_an_old_socket(proxy):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    referred = {"Referer": f"{proxy.url}/v1/ws?otp={CODE}"}
    asked = [
        *(
            (f"{path}?otp={CODE}&username=alice", h)
            for path in SOCKETS
            for h in ({}, upgrade, referred)
        ),
        ("/api/v1/me", {}),
    ]
    # At once: Caddy tries again for a while.
    with ThreadPoolExecutor(len(asked)) as threads:
        answers = threads.map(lambda one: ask(proxy.url + one[0], **one[1]), asked)
        assert {answer.status_code for answer in answers} <= {502, 503}
    # It does write down what went wrong.
    assert "/api/v1/me" in proxy.log
    assert CODE not in proxy.log


@pytest.mark.parametrize("host", STRANGE)
def test_nobody_is_answered_by_another_name(proxy, host):
    ports = [proxy.port, *filter(None, [proxy.redirecting_port])]
    for port in ports:
        try:
            answer = ask(f"http://127.0.0.1:{port}/x", Host=host)
        except requests.ConnectionError:
            continue
        assert answer.status_code == 400
        assert "Location" not in answer.headers


def test_plain_http_is_sent_to_the_name_that_is_configured(proxy):
    if proxy.redirecting_port is None:
        pytest.skip("Caddy sends to HTTPS by itself, where it has a certificate")
    for host in ("127.0.0.1", "127.0.0.1:81", "127.0.0.1:evil.example.org"):
        answer = ask(f"http://127.0.0.1:{proxy.redirecting_port}/x?y=1", Host=host)
        assert answer.headers.get("Location") in (None, "https://127.0.0.1/x?y=1")
    assert ask(f"http://127.0.0.1:{proxy.redirecting_port}/x?y=1").status_code == 301
