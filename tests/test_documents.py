"""What the documents list is what the code has."""

import re
from pathlib import Path

import pytest
from rest_framework import serializers

from chatbe import settings as settings_module
from chatbe.core import failpoints
from chatbe.core.errors import error_table
from chatbe.gateway.dispatch import COMMAND_TYPES
from conversations import serializers as shapes
from conversations import wire

ROOT = Path(__file__).resolve().parent.parent
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
CODE = [
    path
    for folder in ("accounts", "chatbe", "contacts", "conversations")
    for path in (ROOT / folder).rglob("*.py")
    if "tests" not in path.parts
]


def rows(text, columns):
    """Cells of the tables' rows whose first cell is `code`."""
    found = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]
    return [row for row in found if len(row) >= columns]


def test_the_error_table_is_the_code_s():
    documented = {
        code: (int(status), retry == "yes", int(close) if close else None)
        for code, status, retry, close in re.findall(
            r"^\| `(\w+)` \| (\d+) \| (yes|no) \| (\d*) *\|$", PROTOCOL, re.MULTILINE
        )
    }
    actual = {error.code: (error.status, error.retry, error.close_code) for error in error_table()}
    assert documented == actual


def test_close_codes_say_whether_to_reconnect():
    for error in error_table():
        if error.close_code is not None:
            assert error.retry == (4000 <= error.close_code <= 4499), error.code


def test_the_commands_are_the_code_s_with_their_fields():
    table = PROTOCOL.split("## Commands")[1].split("## Connecting")[0]
    documented = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in rows(table, 3)}
    actual = {
        str(kind.__struct_config__.tag): set(kind.__struct_fields__) - {"ref"}
        for kind in COMMAND_TYPES
    }
    assert documented == actual


def test_every_event_that_is_sent_is_documented():
    code = "\n".join(path.read_text() for path in CODE)
    sent = set(re.findall(r'encode_frame\(\s*"([\w.]+)"', code))
    sent |= set(re.findall(r'\{"type":"([\w.]+)"', code))
    assert {"welcome", "live", "range", "message.created", "error"} <= sent
    for name in sent:
        assert f"`{name}`" in PROTOCOL or f'"type":"{name}"' in PROTOCOL, name


def test_the_settings_are_the_code_s_with_their_defaults():
    documented = {row[0].strip("`"): row[1] for row in rows(SETTINGS, 3)}
    scheme = settings_module.env.scheme
    assert documented.keys() == scheme.keys()
    for name, (kind, default) in scheme.items():
        if kind in (int, float):
            assert documented[name].strip("`") == f"{default:g}" or float(
                documented[name].strip("`")
            ) == float(default), name


@pytest.mark.parametrize("point", failpoints.POINTS)
def test_every_failpoint_is_reached_somewhere(point):
    assert any(f'reach("{point}")' in path.read_text() for path in CODE)


@pytest.mark.parametrize(
    ("struct", "serializer"),
    [
        (wire.MessageBody, shapes.MessageSerializer),
        (wire.ConversationBody, shapes.ConversationSerializer),
    ],
)
def test_the_rest_schema_has_the_fields_of_what_is_sent(struct, serializer):
    instance: serializers.Serializer = serializer()
    assert list(struct.__struct_fields__) == list(instance.fields)
