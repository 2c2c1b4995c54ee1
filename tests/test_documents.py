"""The documents say what the code does (beside what test_readme.py looks at)."""

import json
import re
from contextlib import suppress
from typing import get_args

import jsonschema_rs
import pytest
from django.core.management import call_command
from msgspec.structs import fields

from accounts.summaries import UserSummary
from chatbe.gateway.dispatch import COMMAND_TYPES
from chatbe.gateway.docs.asyncapi import asyncapi_document
from chatbe.gateway.docs.examples import example_of
from chatbe.gateway.events import ANSWERS, EVENTS, tag_of
from chatbot.schemas import AnswerBody
from chatbot.serializers import AnswerSerializer
from common import failpoints
from common.errors import ClientIdReused, Conflict, error_table
from conversations import schemas
from conversations import serializers as shapes
from conversations.events import OwnReceipt
from tests.kit.answers import assert_documented, rest_document
from tests.kit.documents import CODE, KINDS, PROJECT, gaps, sent_types
from tools import settings_page

PROTOCOL = (PROJECT / "docs" / "protocol.md").read_text()
# Several commands are answered with the same: one line less, and it is still told.
TOLD_TWICE = {"reply.answers", "reply.message", "reply.receipt", "reply.typing"}


@pytest.mark.parametrize("name", KINDS)
def test_a_document_tells_all_there_is_and_nothing_else(name):
    assert KINDS[name].gaps() == []


@pytest.mark.parametrize("name", ["errors"])
def test_a_document_tells_it_in_the_order_of_the_code(name):
    kind = KINDS[name]
    assert kind.told(kind.document.read_text()) == kind.done()


@pytest.mark.parametrize("name", KINDS)
def test_whatever_is_taken_out_of_a_document_is_missed(name):
    kind = KINDS[name]
    lines = kind.document.read_text().splitlines(keepends=True)
    missed = set()
    for place in range(len(lines)):
        # Without its heading a table cannot be found at all.
        with suppress(IndexError):
            missed |= set(kind.gaps("".join(lines[:place] + lines[place + 1 :])))
    assert missed == {f"not in the document: {thing}" for thing in {*kind.done()} - TOLD_TWICE}


def test_a_gap_is_named_from_either_side():
    assert gaps(["told", "both"], ["both", "done"]) == [
        "not in the document: done",
        "not in the code: told",
    ]


def test_every_frame_that_is_sent_has_its_struct_and_no_other():
    """A new event belongs into EVENTS of chatbe/gateway/events.py."""
    assert gaps({tag_of(kind) for kind in EVENTS}, sent_types()) == []


def test_every_command_has_its_answer_and_no_other():
    """A new command belongs into ANSWERS of chatbe/gateway/events.py."""
    assert gaps(map(tag_of, ANSWERS), map(tag_of, COMMAND_TYPES)) == []


def test_the_drawing_of_errors_is_the_table():
    text = (PROJECT / "common" / "errors.py").read_text()
    drawn = re.findall(r"^    [├└]── (\w+) +(\w+) +(\d+)(?: +closes (\d+))?$", text, re.MULTILINE)
    assert drawn == [
        (error.__name__, error.code, str(error.status), str(error.close_code or ""))
        for error in error_table()
    ]


def test_codes_say_whether_to_come_back():
    errors = list(error_table())
    for member in ("code", "close_code"):
        told = [getattr(error, member) for error in errors if getattr(error, member)]
        assert len(told) == len(set(told))
    for error in errors:
        if error.close_code:
            assert (4000 <= error.close_code < 4500) is error.retry, error


def test_a_message_in_the_document_has_the_fields_of_the_code():
    [example] = re.findall(r"```json\n(.*?)```", PROTOCOL, re.DOTALL)
    assert re.findall(r'"(\w+)":', example) == [field.name for field in fields(schemas.MessageBody)]


def test_every_failpoint_is_reached_somewhere_and_no_other():
    reached, armed = set(), set()
    for path, text in CODE.items():
        if path.name == "failpoints.py":
            continue
        reached |= set(re.findall(r'failpoints\.reach\("([\w.]+)"\)', text))
        for names in re.findall(r"failpoints\.armed\(([^)]*)\)", text):
            armed |= set(re.findall(r'"([\w.]+)"', names))
    assert reached == set(failpoints.POINTS)
    assert armed <= reached


@pytest.mark.parametrize(
    ("struct", "serializer"),
    [
        (schemas.MessageBody, shapes.MessageSerializer),
        (schemas.SentBody, shapes.SentMessageSerializer),
        (schemas.ConversationBody, shapes.ConversationSerializer),
        (schemas.ReceiptBody, shapes.MemberReceiptSerializer),
        (UserSummary, shapes.UserSerializer),
        (OwnReceipt, shapes.ReceiptSerializer),
        (AnswerBody, AnswerSerializer),
    ],
)
def test_answers_have_the_fields_that_are_documented(struct, serializer):
    told = serializer().fields
    assert [field.name for field in fields(struct)] == list(told)
    nullable = {field.name for field in fields(struct) if type(None) in get_args(field.type)}
    assert {name for name, field in told.items() if field.allow_null} == nullable


@pytest.fixture
def message():
    """A message as it is documented, before JSON."""
    operation = rest_document()["paths"]["/api/v1/conversations/{conversation_id}/messages"]["post"]
    assert set(operation["responses"]) >= {"200", "201", "409"}
    return example_of("MessageBody", asyncapi_document()["components"]["schemas"])


def told_of(message, *, status=201, content_type="application/json"):
    path = "/api/v1/conversations/1/messages"
    assert_documented("POST", path, status, content_type, json.dumps(message).encode())


def test_an_answer_as_documented_is_taken(message):
    told_of(message)
    told_of(ClientIdReused().body(), status=409)


@pytest.mark.parametrize(
    "change",
    [
        {"email": "bob@example.org"},
        {"seq": "12"},
        {"sender_id": 12},
        {"created_at": "yesterday"},
        {"text": None},
    ],
    ids=str,
)
def test_an_answer_that_is_not_as_documented_is_found(message, change):
    with pytest.raises(jsonschema_rs.ValidationError):
        told_of(message | change)


def test_an_answer_with_a_key_less_is_found(message):
    for key in message:
        with pytest.raises(jsonschema_rs.ValidationError):
            told_of({name: value for name, value in message.items() if name != key})


def test_a_status_an_error_or_a_content_type_that_is_not_documented_is_found(message):
    for status, body in ((202, message), (409, Conflict().body()), (418, {})):
        with pytest.raises(AssertionError, match="is not in the document"):
            told_of(body, status=status)
    with pytest.raises(AssertionError):
        told_of(message, content_type="text/html")


def test_the_document_of_rest_is_valid_and_complete(tmp_path):
    document = tmp_path / "openapi.yaml"
    call_command("spectacular", file=str(document), validate=True, fail_on_warn=True)
    assert "/api/v1/conversations/{conversation_id}/messages" in document.read_text()


def test_the_page_of_settings_is_what_its_declarations_make():
    assert settings_page.PAGE.read_text() == settings_page.page(), "run `make settings-page`"
