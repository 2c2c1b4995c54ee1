"""The documentation of the socket: the AsyncAPI document, and a page generated from it.

The page needs no script and no file from another host: it works under the strictest
CONTENT_SECURITY_POLICY.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from chatbe.gateway.docs.asyncapi import ADDRESS, Json, asyncapi_document

# Any host that ALLOWED_HOSTS allows may ask: only the last few documents are kept.
_HOSTS = 16


@require_safe
def asyncapi(request: HttpRequest) -> HttpResponse:
    """The AsyncAPI document, naming the host of the request."""
    body = _document(request.get_host(), request.is_secure())
    return HttpResponse(body, content_type="application/json")


@require_safe
def socket_docs(request: HttpRequest) -> HttpResponse:
    """The same as a page: every command, event, shape, error and close code."""
    return HttpResponse(_page(request.get_host(), request.is_secure()))


@lru_cache(maxsize=_HOSTS)
def _document(host: str, secure: bool) -> bytes:  # noqa: FBT001 - Django's own word for it
    return msgspec.json.encode(asyncapi_document(host=host, secure=secure))


@lru_cache(maxsize=_HOSTS)
def _page(host: str, secure: bool) -> str:  # noqa: FBT001
    document = asyncapi_document(host=host, secure=secure)
    schemas = document["components"]["schemas"]
    frames = list(_frames(document))
    shown = {frame["schema"] for frame in frames}
    context = {
        "address": ADDRESS,
        "info": document["info"],
        "server": document["servers"]["here"],
        "commands": [frame for frame in frames if frame["answers"]],
        "events": [frame for frame in frames if not frame["answers"]],
        "shapes": [
            {"name": name, "description": schema.get("description"), "fields": _fields(schema)}
            for name, schema in schemas.items()
            if name not in shown
        ],
        "errors": document["x-errors"],
        "close_codes": document["x-close-codes"],
    }
    return render_to_string("socket_docs.html", context)


def _frames(document: Json) -> Iterator[Json]:
    """Commands first, with their answers, then everything the server sends."""
    replies = {
        name: [_name(message) for message in operation["reply"]["messages"]]
        for name, operation in document["operations"].items()
        if operation["action"] == "receive"
    }
    components = document["components"]
    for name, message in components["messages"].items():
        schema = _name(message["payload"])
        yield {
            "name": name,
            "title": message["title"],
            "schema": schema,
            "description": message["description"],
            "fields": _fields(components["schemas"][schema]),
            "answers": replies.get(name, []),
            "example": json.dumps(message["examples"][0]["payload"], indent=2, ensure_ascii=False),
        }


def _fields(schema: Json) -> list[Json]:
    required = schema.get("required", ())
    return [
        {"name": name, "required": name in required, **_kind(part)}
        for name, part in schema.get("properties", {}).items()
        if name != "type"
    ]


def _kind(part: Json) -> dict[str, Any]:
    """The type of a value in words, and the name of its shape if it has one."""
    if "$ref" in part:
        name = _name(part)
        return {"kind": name, "shape": name}
    if "anyOf" in part:
        kinds = [_kind(option) for option in part["anyOf"]]
        if len(kinds) > 2:
            return {"kind": "any frame", "shape": None}
        shapes = [kind["shape"] for kind in kinds if kind["shape"]]
        words = " or ".join(kind["kind"] for kind in kinds)
        return {"kind": words, "shape": shapes[0] if shapes else None}
    inner = part.get("items") or part.get("additionalProperties") or None
    if inner:
        kind = _kind(inner)
        word = "list of" if "items" in part else "object, each value"
        return {"kind": f"{word} {kind['kind']}", "shape": kind["shape"]}
    return {"kind": _plain(part), "shape": None}


def _plain(part: Json) -> str:
    if "enum" in part:
        return "one of " + ", ".join(str(value) for value in part["enum"])
    limits = [
        f"{word} {part[key]}"
        for key, word in (
            ("minLength", "at least"),
            ("maxLength", "at most"),
            ("minimum", "from"),
            ("maximum", "to"),
        )
        if key in part
    ]
    if "format" in part:
        limits.append(part["format"])
    elif "pattern" in part:
        limits.append(part["pattern"])
    word = str(part.get("type", "anything"))
    return f"{word} ({' '.join(limits)})" if limits else word


def _name(reference: Json) -> str:
    return str(reference["$ref"].rpartition("/")[2])
