"""The AsyncAPI 3.0 document of the socket, made from the Structs that read and check frames.

Nothing in it is written twice: the commands come from the dispatch table, the events from
`events.py`, the errors and close codes from the table of errors, and each description from
the docstring of the frame's Struct.
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
conversation, the position up to which it has everything. A reply is a receipt, an event is the \
news: a `reply` means committed, only events and ranges move a cursor. Anything but the log may be \
lost. docs/protocol.md has the rest, above all the cursor rule."""


def asyncapi_document(*, host: str = DEFAULT_HOST, secure: bool = False) -> Json:
    """The document, for a server that clients reach under this host."""
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
                "description": "The only channel: all frames go through it, in both directions.",
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
    raise TypeError(f"{kind.__qualname__} is in a frame: say here how it is written in JSON.")


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
    """The operations of the server: it receives commands, and sends events that are not replies."""
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
            "description": "The field `ticket` of the first frame, `hello`: issued by "
            "`POST /api/v1/auth/ticket`, valid once and for a short time.",
        },
        "token": {
            "type": "apiKey",
            "in": "password",
            "description": "Alternatively its field `token`: an access token, as for REST.",
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
    """4000-4499 mean "reconnect" (4002: not automatically), 4500-4999 mean "do not"."""
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
        "message": "A frame was too large to be read at all.",
    }
    return sorted([too_big, *ours], key=lambda row: int(str(row["closeCode"])))


def _in_channel(names: Sequence[str]) -> list[Json]:
    return [{"$ref": f"#/channels/socket/messages/{name}"} for name in names]


def _ref(section: str, name: str) -> Json:
    return {"$ref": f"#/components/{section}/{name}"}
