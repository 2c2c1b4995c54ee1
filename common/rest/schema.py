"""What the OpenAPI document says beyond what drf-spectacular finds out by itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    Direction,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_serializer,
)
from rest_framework import serializers

from common import errors

F = TypeVar("F", bound=Callable[..., Any])


class ErrorSerializer(serializers.Serializer[Any]):
    """The body of every error: `ChatError.body()`."""

    code = serializers.CharField()
    message = serializers.CharField()
    retry = serializers.BooleanField()
    fields_ = serializers.DictField(child=serializers.CharField(), required=False)
    retry_after = serializers.FloatField(required=False)

    def get_fields(self) -> dict[str, Any]:
        # `fields` is DRF's own attribute, so the field cannot be declared by its name.
        return {name.rstrip("_"): field for name, field in super().get_fields().items()}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its hook has no types
    target_class = "accounts.authentication.SessionTokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class StrictExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # its hook has no types
    """Requests say that they take no other fields."""

    target_class = "common.rest.fields.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        schema = auto_schema._map_serializer(  # type: ignore[no-untyped-call]  # noqa: SLF001 - as its documentation does
            self.target, direction, bypass_extensions=True
        )
        return {**schema, "additionalProperties": False}


# What any operation may answer, any that takes a body, and any that wants to know who asks.
_ALWAYS = (
    *(errors.InvalidInput, errors.NotAcceptable, errors.RateLimited),
    *(errors.Internal, errors.Unavailable),
)
_WITH_BODY = (errors.TooLarge, errors.UnsupportedMedia)
_AUTHENTICATED = (errors.Unauthenticated, errors.WrongCredentials, errors.SessionEnded)


def operation(
    *,
    answers: Mapping[int, Any],
    refusals: Sequence[type[errors.ChatError]] = (),
    request: Any = None,
    parameters: Sequence[OpenApiParameter | type[serializers.Serializer[Any]]] = (),
    anonymous: bool = False,
    **schema: Any,
) -> Callable[[F], F]:
    """Document one operation: its answers by status, and the errors it may refuse with.

    The errors that every operation, every one with a body or every authenticated one has
    need not be named.
    """
    kinds = [*refusals, *_ALWAYS, *(() if anonymous else _AUTHENTICATED)]
    kinds += _WITH_BODY if request is not None else ()
    codes: dict[int, list[str]] = {}
    for kind in kinds:
        if kind.code not in codes.setdefault(kind.status, []):
            codes[kind.status].append(kind.code)
    responses: dict[int, Any] = {status: _as_it_is(answer) for status, answer in answers.items()}
    for status in sorted(codes):
        described = ", ".join(f"`{code}`" for code in codes[status])
        responses[status] = OpenApiResponse(ErrorSerializer, description=described)
    return extend_schema(
        request=request, responses=responses, parameters=list(parameters), **schema
    )


def _as_it_is(answer: Any) -> Any:
    """Without this the answer of a view named `list` is taken for a list of what it says."""
    if isinstance(answer, type) and issubclass(answer, serializers.Serializer):
        return extend_schema_serializer(many=False)(answer)
    return answer
