"""Every refusal has the one form, and says nothing it should not (S30)."""

from typing import Any

import pytest
from django.core import exceptions as django_errors
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.test import RequestFactory
from psycopg_pool import PoolTimeout
from rest_framework import exceptions as rest_errors
from rest_framework import serializers

from common import errors
from common.error_log import describe
from common.rest.errors import as_chat_error, exception_handler, not_found, server_error
from common.rest.schema import ErrorSerializer


@pytest.mark.parametrize(
    ("exception", "code", "status"),
    [
        (Http404("secret"), "not_found", 404),
        (django_errors.PermissionDenied("secret"), "forbidden", 403),
        (django_errors.RequestDataTooBig("secret"), "too_large", 413),
        (django_errors.SuspiciousOperation("secret"), "invalid", 400),
        (django_errors.BadRequest("secret"), "invalid", 400),
        (rest_errors.ParseError("secret"), "invalid", 400),
        (rest_errors.NotAuthenticated("secret"), "unauthenticated", 401),
        (rest_errors.AuthenticationFailed("secret"), "wrong_credentials", 401),
        (rest_errors.PermissionDenied("secret"), "forbidden", 403),
        (rest_errors.NotFound("secret"), "not_found", 404),
        (rest_errors.MethodNotAllowed("PUT"), "method_not_allowed", 405),
        (rest_errors.NotAcceptable("secret"), "not_acceptable", 406),
        (rest_errors.UnsupportedMediaType("text/secret"), "unsupported_media", 415),
        (rest_errors.Throttled(3.2), "rate_limited", 429),
        (OperationalError("secret"), "unavailable", 503),
        (InterfaceError("secret"), "unavailable", 503),
        (PoolTimeout("secret"), "unavailable", 503),
        (RuntimeError("secret"), "internal", 500),
        (errors.Conflict("said"), "conflict", 409),
    ],
)
def test_every_exception_becomes_an_error_of_the_table(exception, code, status):
    answer = exception_handler(exception, {})
    assert (answer.status_code, answer.data["code"]) == (status, code)
    assert answer.data == as_chat_error(exception).body()
    assert "secret" not in str(answer.data)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_each_error_of_the_table_answers_as_it_says():
    for error in errors.error_table():
        answer = exception_handler(error(), {})
        assert answer.status_code == error.status
        assert answer.data == {"code": error.code, "message": error.message, "retry": error.retry}


def test_waiting_times_are_in_the_body_and_the_header():
    answer = exception_handler(errors.RateLimited(retry_after=2.5), {})
    assert answer.data["retry_after"] == 2.5
    assert answer.headers["Retry-After"] == "3"


def test_validation_errors_become_one_sentence_per_field():
    detail: Any = {
        "name": ["is wrong", "is very wrong"],
        "friends": [{}, {"name": ["is missing"]}],
        "ids": {0: ["is not an id"]},
        "non_field_errors": ["does not fit together"],
    }
    fields = as_chat_error(serializers.ValidationError(detail)).fields
    assert fields == {
        "name": "is wrong",
        "friends.1.name": "is missing",
        "ids.0": "is not an id",
        "body": "does not fit together",
    }
    assert as_chat_error(serializers.ValidationError("no")).fields == {"body": "no"}


def test_the_log_gets_types_and_places_but_no_messages():
    try:
        try:
            raise ValueError("secret")
        except ValueError as error:
            raise RuntimeError("secret") from error
    except RuntimeError as error:
        described = describe(error)
    assert described["error"] == "RuntimeError from ValueError"
    assert "test_errors.py" in described["places"]
    assert "secret" not in str(described)


def test_what_has_no_view_is_answered_in_the_same_form():
    request = RequestFactory().get("/api/v1/nothing")
    assert not_found(request, Http404()).status_code == 404
    assert b'"code": "not_found"' in not_found(request).content
    assert server_error(request).status_code == 500
    assert b'"code": "internal"' in server_error(request).content


def test_the_document_shows_the_errors_as_they_are():
    body = errors.RateLimited("m", fields={"f": "w"}, retry_after=1).body()
    assert set(ErrorSerializer().get_fields()) == set(body)
