"""The AsyncAPI 3.0 document of the socket, made from the Structs that read and check frames.

Nothing in it is written twice: commands are those of the dispatch table, events those of
`events.py`, errors and close codes those of the one table of errors. What a frame is for,
its Struct's docstring says.
"""

import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

from chatbe.gateway.dispatch import COMMAND_TYPES
from chatbe.gateway.docs.examples import example_of
from chatbe.gateway.events import ANSWERS, EVENTS, tag_of
from chatbe.gateway.protocol_events import Batch, Failure
from common.errors import TooLarge, error_table
from common.ids import ID_PATTERN
from realtime.protocol import Command, Event, Id, Reply

ADDRESS = "/ws/v1/"
DEFAULT_HOST = "localhost:8000"
# Closed by the server below us (RFC 6455, section 7.4.1).
FRAME_TOO_BIG = 1009

Json = dict[str, Any]

_DESCRIPTION = """\
One socket per device. Frames are text frames that hold one JSON object with a `type`. The log is \
the truth: every conversation is a numbered log without gaps, and a client keeps one number per \
conversation, up to where it has everything. An answer is a receipt, an event is the news: a \
`reply` means committed, only events and ranges move a cursor. Anything may be lost but the log. \
docs/protocol.md tells the rest, the cursor rule above all."""


def asyncapi_document(*, host: str = DEFAULT_HOST, secure: bool = False) -> Json:
    """The document, for a server that is reached under this host."""
    schemas, names = _schemas()
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Chat backend: socket", "version": "1", "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "here": {
                "host": host,
                "protocol": "wss" if secure else "ws",
                "description": "The server this document came from.",
                "security": [_ref("securitySchemes", name) for name in _security()],
            }
        },
        "channels": {
            "socket": {
                "address": ADDRESS,
                "description": "The one channel: everything goes through it, both ways.",
                "messages": {name: _ref("messages", name) for name in names.values()},
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": _operations(names),
        "components": {
            "schemas": schemas,
            "messages": {name: _message(kind, name, schemas) for kind, name in names.items()},
            "securitySchemes": _security(),
        },
        "x-errors": _errors(),
        "x-close-codes": _close_codes(),
    }


@cache
def _schemas() -> tuple[Json, dict[type[Command | Event], str]]:
    """All schemas by name, and the name of each frame: its type, for a reply also its field."""
    kinds: tuple[type[Command | Event], ...] = (*COMMAND_TYPES, *EVENTS)
    _, schemas = msgspec.json.schema_components(
        kinds, schema_hook=_schema_of_own, ref_template="#/components/schemas/{name}"
    )
    parts = [_ref("schemas", kind.__name__) for kind in EVENTS if kind is not Batch]
    schemas[Batch.__name__]["properties"]["frames"]["items"] = {"anyOf": parts}
    tags = [tag_of(kind) for kind in kinds]
    return schemas, {
        kind: tag if tags.count(tag) == 1 else f"{tag}.{_own_field(kind)}"
        for kind, tag in zip(kinds, tags, strict=True)
    }


def _own_field(kind: type[Command | Event]) -> str:
    return next(name for name in kind.__struct_fields__ if name != "ref")


def _schema_of_own(kind: type) -> Json:
    """msgspec's hook for the types of commands that are not its own."""
    if kind is Id:
        return {"type": "string", "pattern": ID_PATTERN}
    raise TypeError(f"{kind.__qualname__} is in a frame: say here what JSON it is written as.")


def _message(kind: type[Command | Event], name: str, schemas: Json) -> Json:
    message = {
        "name": name,
        "title": tag_of(kind),
        "description": inspect.getdoc(kind),
        "payload": _ref("schemas", kind.__name__),
        "examples": [{"payload": example_of(kind.__name__, schemas)}],
    }
    if "ref" in kind.__struct_fields__:
        message["correlationId"] = {"location": "$message.payload#/ref"}
    return message


def _operations(names: dict[type[Command | Event], str]) -> Json:
    """What the server does: it receives commands, and sends what is no mere answer."""
    channel = {"$ref": "#/channels/socket"}
    operations: Json = {}
    for command in COMMAND_TYPES:
        operations[names[command]] = {
            "action": "receive",
            "channel": channel,
            "description": inspect.getdoc(command),
            "messages": _in_channel([names[command]]),
            "reply": {
                "channel": channel,
                "messages": _in_channel([names[ANSWERS[command]], names[Failure]]),
            },
        }
    for event in EVENTS:
        if not issubclass(event, Reply):
            operations[names[event]] = {
                "action": "send",
                "channel": channel,
                "description": inspect.getdoc(event),
                "messages": _in_channel([names[event]]),
            }
    return operations


def _security() -> Json:
    return {
        "ticket": {
            "type": "apiKey",
            "in": "user",
            "description": "The field `ticket` of the first frame, `hello`: from "
            "`POST /api/v1/auth/ticket`, for one use, soon.",
        },
        "token": {
            "type": "apiKey",
            "in": "password",
            "description": "Or its field `token`: an access token, as REST takes it.",
        },
    }


def _errors() -> list[Json]:
    return [
        {
            "code": error.code,
            "status": error.status,
            "retry": error.retry,
            "closeCode": error.close_code,
            "message": error.message,
        }
        for error in error_table()
    ]


def _close_codes() -> list[Json]:
    """4000-4499 say "reconnect" (4002: not by itself), 4500-4999 say "don't"."""
    ours = [
        {
            "closeCode": error.close_code,
            "code": error.code,
            "reconnect": error.close_code < 4500 and error.comes_back,
            "message": error.message,
        }
        for error in error_table()
        if error.close_code is not None
    ]
    too_big = {
        "closeCode": FRAME_TOO_BIG,
        "code": TooLarge.code,
        "reconnect": True,
        "message": "A frame was so large that it was not even read.",
    }
    return sorted([too_big, *ours], key=lambda row: int(str(row["closeCode"])))


def _in_channel(names: Sequence[str]) -> list[Json]:
    return [{"$ref": f"#/channels/socket/messages/{name}"} for name in names]


def _ref(section: str, name: str) -> Json:
    return {"$ref": f"#/components/{section}/{name}"}
