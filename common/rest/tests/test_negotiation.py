"""However a client says what it takes and what it sends: the same answer, or a clear refusal."""

import json

import pytest
from rest_framework.test import APIClient

pytestmark = [pytest.mark.django_db, pytest.mark.embedded_only]

URL = "/api/v1/auth/refresh"
BODY = json.dumps({"refresh_token": "x"})
# What stands behind `Accept:`.
TAKEN = [
    *("", " ", ",", "*/*", "*", "*/*;q=0.8", "application/json", "APPLICATION/JSON"),
    *(" application/json ", "application/json;q=0.9", "application/*", "application/json;"),
    *("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "text/html,application/json"),
    *("application/json; charset=utf-8", "application/json; indent=4", ",application/json,"),
]
NOT_TAKEN = ["text/html", "application/xml", "json", "image/*", "text/plain;q=1", ";", "/"]
# What stands behind `Content-Type:`.
READ = [
    *("application/json", "Application/JSON", "application/json;charset=UTF-8"),
    *('application/json; charset="utf-8"', " application/json ", "application/json;"),
    *("application/json ; charset=utf-8", "application/json;odd"),
]
NOT_READ = [
    "text/json",
    "text/plain",
    "application/jsonp",
    "multipart/form-data; boundary=x",
    "json",
]


@pytest.mark.parametrize("accept", TAKEN)
def test_an_answer_is_given_to_whoever_takes_json_or_anything(accept):
    answer = APIClient(HTTP_ACCEPT=accept).post(URL, BODY, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")
    assert answer.headers["Content-Type"].startswith("application/json")


def test_a_client_that_does_not_say_is_answered_too():
    answer = APIClient().post(URL, BODY, content_type="application/json")
    assert answer.status_code == 401


@pytest.mark.parametrize("accept", NOT_TAKEN)
def test_who_wants_something_else_is_told_so(accept):
    answer = APIClient(HTTP_ACCEPT=accept).post(URL, BODY, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("content_type", READ)
def test_json_is_read_however_it_is_called(content_type):
    answer = APIClient().post(URL, BODY, content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")


@pytest.mark.parametrize("content_type", NOT_READ)
def test_what_is_not_called_json_is_refused(content_type):
    answer = APIClient().post(URL, BODY, content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media")
