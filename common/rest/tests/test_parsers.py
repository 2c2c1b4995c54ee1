"""Bodies of requests: JSON, UTF-8, bounded (S17)."""

import gzip

import pytest
from rest_framework.test import APIClient

URL = "/api/v1/auth/refresh"


def post(body, content_type="application/json"):
    return APIClient().post(URL, body, content_type=content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nothing",
        b"[]",
        b"null",
        b'"text"',
        b"NaN",
        b'{"refresh_token": NaN}',
        b'{"refresh_token": "\xff"}',
        b'{"refresh_token": "\\ud800"}',
        b'{"refresh_token": "a\\u0000"}',
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b"\xff\xfe",
    ],
)
@pytest.mark.django_db
def test_what_is_not_json_or_not_an_object_is_invalid(body):
    answer = post(body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP, identity", "nonsense"])
@pytest.mark.parametrize("url", [URL, "/v1/auth/login"])
@pytest.mark.django_db
def test_a_body_that_is_encoded_is_unsupported(coding, url):
    for body in (gzip.compress(b'{"refresh_token": "x"}'), b'{"refresh_token": "x"}'):
        answer = APIClient(HTTP_CONTENT_ENCODING=coding).post(
            url, body, content_type="application/json"
        )
        assert answer.status_code == 415
        assert "Content-Encoding" in answer.content.decode()


@pytest.mark.django_db
def test_a_body_that_says_it_is_not_encoded_is_read():
    answer = APIClient(HTTP_CONTENT_ENCODING=" Identity").post(
        URL, b'{"refresh_token": "x"}', content_type="application/json"
    )
    assert answer.status_code == 401


@pytest.mark.parametrize("charset", ["utf-8", "latin-1", "base64", "rot13", "nonsense"])
@pytest.mark.django_db
def test_the_declared_charset_changes_nothing(charset):
    answer = post(b'{"refresh_token": "x"}', f"application/json; charset={charset}")
    assert answer.json()["code"] == "wrong_credentials"


@pytest.mark.django_db
def test_a_body_larger_than_a_frame_is_refused(settings):
    body = b'{"refresh_token": "' + b"x" * settings.FRAME_BYTES + b'"}'
    answer = post(body)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
@pytest.mark.django_db
def test_other_kinds_of_bodies_are_refused(content_type):
    answer = post(b"refresh_token=x", content_type)
    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media"


@pytest.mark.django_db
def test_answers_are_json_only():
    answer = APIClient(HTTP_ACCEPT="text/html").post(URL, {"refresh_token": "x"}, format="json")
    assert answer.status_code == 406
    assert answer.json()["code"] == "not_acceptable"
