"""Requests hold what was asked for, in the type that was asked for (S9, S19)."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from rest_framework import serializers

from common.errors import NotFound
from common.ids import MAX_ID
from common.rest.fields import IdField, StrictSerializer, TimeField, path_id


class ThingSerializer(StrictSerializer):
    text = serializers.CharField(required=False)
    number = serializers.IntegerField(required=False, allow_null=True)
    ratio = serializers.FloatField(required=False)
    flag = serializers.BooleanField(required=False)
    kind = serializers.ChoiceField(["1", "true"], required=False)
    id = IdField(required=False)
    ids = serializers.ListField(child=IdField(), required=False)
    names = serializers.ListField(child=serializers.CharField(), required=False)
    shown = serializers.CharField(read_only=True)


GOOD = [
    ("text", "abc", "abc"),
    ("number", 5, 5),
    ("number", None, None),
    ("ratio", 0.5, 0.5),
    ("ratio", 1, 1.0),
    ("flag", False, False),
    ("kind", "1", "1"),
    ("id", "1", 1),
    ("id", str(MAX_ID), MAX_ID),
    ("ids", ["1", "2"], [1, 2]),
    ("names", [], []),
]
_WRONG: dict[str, list[Any]] = {
    "text": [1, 1.5, True, None, [], {}, ["a"], {"$ne": 1}, "a\x00b", ""],
    "number": ["5", 5.0, True, [], {}, math.nan],
    "ratio": ["1", True, None, []],
    "flag": [0, 1, "true", "yes", None, []],
    "kind": [1, True, "2", [], {}],
    "id": [1, True, None, [], "", "0", "-1", "+1", " 1", "1 ", "01", "1.0", "x", "١",
           str(MAX_ID + 1), "9" * 400, "0x1", "1e3"],
    "ids": ["1", {"0": "1"}, [1], [["1"]], [None], ["x"]],
    "names": ["a", [1], [True], [None], [{}], {}],
    "shown": ["x"],
    "unknown": ["x"],
    "": ["x"],
}  # fmt: skip
BAD = [(name, value) for name, values in _WRONG.items() for value in values]


@pytest.mark.parametrize(("name", "value", "expected"), GOOD)
def test_values_of_the_right_type_are_taken(name, value, expected):
    thing = ThingSerializer(data={name: value})
    assert thing.is_valid(), thing.errors
    assert thing.validated_data == {name: expected}


@pytest.mark.parametrize(("name", "value"), BAD)
def test_everything_else_is_an_error_of_its_field(name, value):
    thing = ThingSerializer(data={name: value})
    assert not thing.is_valid()
    assert list(thing.errors) == [name]


@pytest.mark.parametrize("body", [None, [], "text", 5, True, [{"text": "abc"}]])
def test_a_body_that_is_no_object_is_an_error(body):
    assert not ThingSerializer(data=body).is_valid()


def test_ids_leave_as_strings():
    assert IdField().to_representation(MAX_ID) == "9223372036854775807"


def test_times_leave_in_utc():
    east = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=timezone(timedelta(hours=9)))
    assert TimeField().to_representation(east) == "2026-01-01T18:04:05.678Z"
    assert TimeField().to_representation(east.astimezone(UTC)) == "2026-01-01T18:04:05.678Z"


def test_an_id_in_a_url_is_there_or_not():
    assert path_id("17") == 17
    for text in ("0", "x", "", "1.0", "9" * 30):
        with pytest.raises(NotFound):
            path_id(text)
