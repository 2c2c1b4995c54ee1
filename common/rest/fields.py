"""Fields and serializers that take what they ask for and nothing else."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from common.errors import NotFound
from common.ids import ID_PATTERN, parse_id
from common.times import iso_milliseconds


@extend_schema_field({"type": "string", "pattern": ID_PATTERN})
class IdField(serializers.Field[int, Any, str, Any]):
    """An id: a string of digits outside, a number inside."""

    default_error_messages = {"invalid": "is not an id (a string of digits)"}

    def to_internal_value(self, data: Any) -> int:
        try:
            return parse_id(data)
        except ValueError:
            self.fail("invalid")

    def to_representation(self, value: int) -> str:
        return str(value)


@extend_schema_field({"type": "string", "format": "date-time"})
class TimeField(serializers.ReadOnlyField):
    """A moment of an answer, as the socket shows it too: UTC with a Z, whatever TIME_ZONE is."""

    def to_representation(self, value: datetime) -> str:
        return iso_milliseconds(value)


def path_id(value: str) -> int:
    """An id out of a URL. What is no id is not there: NotFound."""
    try:
        return parse_id(value)
    except ValueError as error:
        raise NotFound from error


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown fields, and values of another JSON type than the field's.

    DRF would ignore the one and convert the other: 1 to "1", "yes" to true.
    """

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            problems = self._problems(data)
            if problems:
                raise serializers.ValidationError(problems)
        return super().to_internal_value(data)

    def _problems(self, data: Mapping[str, Any]) -> dict[str, str]:
        fields = {field.field_name: field for field in self._writable_fields}
        problems = {}
        for name, value in data.items():
            if name not in fields:
                problems[name] = "is not a field of this request"
            elif value is not None and not _has_type_of(fields[name], value):
                problems[name] = "has the wrong type"
        return problems


def read_body(serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """What a request's body holds; a ValidationError if it is not what the serializer says."""
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def _has_type_of(field: serializers.Field[Any, Any, Any, Any], value: Any) -> bool:
    # bool is an int in Python, not in JSON.
    match field:
        case serializers.BooleanField():
            return isinstance(value, bool)
        case serializers.IntegerField():
            return isinstance(value, int) and not isinstance(value, bool)
        case serializers.FloatField() | serializers.DecimalField():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case serializers.ListField():
            child = field.child
            return isinstance(value, list) and all(
                item is None or _has_type_of(child, item) for item in value
            )
        case serializers.BaseSerializer() | serializers.DictField() | serializers.JSONField():
            # They look for themselves.
            return True
        case _:
            return isinstance(value, str)
