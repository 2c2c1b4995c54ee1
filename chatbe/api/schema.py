"""What the OpenAPI document says beyond what drf-spectacular finds out by itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from chatbe.core import errors

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


# What any operation may answer, and any that wants to know who is asking.
_ALWAYS = (errors.InvalidInput, errors.RateLimited, errors.Internal, errors.Unavailable)
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

    The errors that every operation or every authenticated one has need not be named.
    """
    kinds = [*refusals, *_ALWAYS, *(() if anonymous else _AUTHENTICATED)]
    codes: dict[int, list[str]] = {}
    for kind in kinds:
        if kind.code not in codes.setdefault(kind.status, []):
            codes[kind.status].append(kind.code)
    responses: dict[int, Any] = dict(answers)
    for status in sorted(codes):
        described = ", ".join(f"`{code}`" for code in codes[status])
        responses[status] = OpenApiResponse(ErrorSerializer, description=described)
    return extend_schema(
        request=request, responses=responses, parameters=list(parameters), **schema
    )
