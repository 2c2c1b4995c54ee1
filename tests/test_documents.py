"""The documents say what the code does (beside what test_readme.py looks at)."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command
from msgspec.structs import fields
from rest_framework import serializers

from accounts.summaries import UserSummary
from chatbe.core import failpoints
from chatbe.core.errors import error_table
from chatbe.gateway.dispatch import COMMAND_TYPES
from conversations import serializers as shapes
from conversations import wire
from conversations.tests.people import CONVERSATIONS, make_friends, post

PROJECT = Path(__file__).resolve().parent.parent
PROTOCOL = (PROJECT / "docs" / "protocol.md").read_text()
SERVED = ("accounts", "chatbe", "contacts", "conversations")
CODE = {
    path: path.read_text()
    for app in SERVED
    for path in (PROJECT / app).rglob("*.py")
    if "tests" not in path.parts
}
# Answers, which the prose explains, and not the table of events.
ANSWERS = {"welcome", "live", "pong", "reply", "error"}


def rows_under(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = PROTOCOL.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_of_errors_is_that_of_the_code():
    told = rows_under("Errors")
    assert told == [
        [
            f"`{error.code}`",
            str(error.status),
            "yes" if error.retry else "no",
            str(error.close_code or ""),
        ]
        for error in error_table()
    ]


def test_the_drawing_of_errors_is_the_table():
    text = (PROJECT / "chatbe" / "core" / "errors.py").read_text()
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


def test_the_table_of_commands_is_that_of_the_code():
    told = {}
    for command, cells, _ in rows_under("Commands"):
        names = re.sub(r"[({][^)}]*[)}]", "", cells)
        told[command.strip("`")] = dict(re.findall(r"`(\w+)`(\??)", names))
    assert told == {
        str(kind.__struct_config__.tag): {
            # Of the two credentials of `hello` it takes one: the table says so in words.
            field.name: "" if field.required or field.name in {"ticket", "token"} else "?"
            for field in fields(kind)
            if field.name != "ref"
        }
        for kind in COMMAND_TYPES
    }


def test_the_table_of_events_is_that_of_the_code():
    text = "\n".join(CODE.values())
    said = set(re.findall(r'encode_frame\(\s*"([\w.]+)"', text))
    said |= set(re.findall(r'"type":"([\w.]+)"', text))
    assert {row[0].strip("`") for row in rows_under("Events")} == said - ANSWERS


def test_a_message_in_the_document_has_the_fields_of_the_code():
    [example] = re.findall(r"```json\n(.*?)```", PROTOCOL, re.DOTALL)
    assert re.findall(r'"(\w+)":', example) == [field.name for field in fields(wire.MessageBody)]


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
        (wire.MessageBody, shapes.MessageSerializer),
        (wire.ConversationBody, shapes.ConversationSerializer),
        (wire.ReceiptBody, shapes.MemberReceiptSerializer),
        (UserSummary, shapes.UserSerializer),
    ],
)
def test_answers_have_the_fields_that_are_documented(struct, serializer):
    told = serializer().fields
    assert [field.name for field in fields(struct)] == list(told)
    nullable = {field.name for field in fields(struct) if "None" in str(field.type)}
    assert {name for name, field in told.items() if field.allow_null} == nullable


KINDS = {
    serializers.IntegerField: int,
    serializers.BooleanField: bool,
    serializers.CharField: str,
    serializers.DateTimeField: str,
    shapes.IdField: str,
}


def assert_shape(answer, told):
    """That an answer has exactly the documented fields, of the documented kinds."""
    if isinstance(told, serializers.ListSerializer):
        for part in answer:
            assert_shape(part, told.child)
    elif answer is None:
        assert told.allow_null, told
    elif isinstance(told, serializers.BaseSerializer):
        assert list(answer) == list(told.fields)
        for name, field in told.fields.items():
            assert_shape(answer[name], field)
    else:
        [kind] = [kind for field, kind in KINDS.items() if type(told) is field]
        assert type(answer) is kind, told


@pytest.mark.django_db(transaction=True)
def test_real_answers_are_as_documented():
    friends = make_friends()
    one = post(friends.phone, friends.conversation_id).json()
    post(friends.tablet, friends.conversation_id, "back", reply_to=one["seq"])
    place = f"{CONVERSATIONS}/{friends.conversation_id}"
    answers = {
        CONVERSATIONS: shapes.ConversationPageSerializer,
        place: shapes.ConversationSerializer,
        friends.messages: shapes.MessagePageSerializer,
        f"{friends.messages}/1": shapes.MessageSerializer,
        f"{place}/changes?after=0": shapes.ChangesSerializer,
        f"{place}/receipts": shapes.MemberReceiptPageSerializer,
        "/api/v1/private-messages": shapes.FriendMessagesPageSerializer,
        f"/api/v1/private-messages/{friends.bob.id}": shapes.MessagePageSerializer,
    }
    for path, serializer in answers.items():
        answer = friends.phone.get(path)
        assert answer.status_code == 200, path
        assert_shape(answer.json(), serializer())
    receipt = friends.phone.put(f"{place}/receipt", {"read_seq": 2})
    assert_shape(receipt.json(), shapes.ReceiptSerializer())
    opened = friends.phone.post(f"{CONVERSATIONS}/direct", {"user_id": str(friends.bob.id)})
    assert_shape(opened.json(), shapes.ConversationSerializer())


def test_the_document_of_rest_is_valid_and_complete(tmp_path):
    document = tmp_path / "openapi.yaml"
    call_command("spectacular", file=str(document), validate=True, fail_on_warn=True)
    assert "/api/v1/conversations/{conversation_id}/messages" in document.read_text()
