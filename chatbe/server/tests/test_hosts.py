"""Whoever watches a server asks it by its address, and gets an answer; nobody else does."""

import http.client
import socket

import pytest
from django.test import Client

HOSTS = [
    "10.0.0.5",
    "10.0.0.5:8000",
    "[2001:db8::5]:8000",
    "app1:8000",
    "evil.example",
    "a b",
    "x/y",
]
WATCHED = ["/healthz", "/healthz/", "/readyz", "/metrics", "/metrics/"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", WATCHED)
@pytest.mark.parametrize("host", HOSTS)
def test_monitoring_is_answered_under_any_name(settings, path, host):
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    settings.PRODUCTION = True
    settings.METRICS_ADDRESSES = ["127.0.0.1"]
    assert Client(SERVER_NAME="10.0.0.5", HTTP_HOST=host).get(path).status_code == 200
    assert Client(SERVER_NAME="10.0.0.5").get(path).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "path",
    ["/", "/admin/", "/admin/login/", "/api/v1/me", "/v1/contacts", "/api/docs/", "/healthz/x",
     "/metrics/x", "//healthz", "/readyz/", "/nowhere"],
)  # fmt: skip
def test_nothing_else_is(settings, path, host):
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    assert Client(HTTP_HOST=host).get(path).status_code == 400


def test_metrics_still_ask_who_it_is(settings):
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    settings.METRICS_TOKEN = "x" * 40
    assert Client(HTTP_HOST="10.0.0.5").get("/metrics").status_code == 401


@pytest.mark.parametrize(
    "head", ["GET {} HTTP/1.0\r\n\r\n", "GET {} HTTP/1.1\r\nHost: 10.0.0.5\r\n\r\n"]
)
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_server_answers_a_check_that_knows_no_name(site, path, head):
    host, port = site.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(head.format(path).encode())
        answer = http.client.HTTPResponse(line)
        answer.begin()
        assert answer.status == 200
