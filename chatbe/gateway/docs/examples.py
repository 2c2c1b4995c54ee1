"""An example of every frame, generated from its schema.

The name of a field suggests a plausible value; the schema determines the rest. A test
decodes every example as the server or a client would.
"""

from typing import Any

Json = dict[str, Any]

_ID = "81604378624"
_NAMED: Json = {
    "ref": "7",
    "ticket": "Zk3cUq0pXr5vY1m8",
    "epoch": "3f6c2a9d",
    "feed_seq": 7,
    "session_id": "81604370033",
    "user_id": "81604370001",
    "sender_id": "81604370001",
    "username": "alice",
    "display_name": "Alice",
    "id": "81604378999",
    "conversation_id": _ID,
    "client_id": "6f0c5c1e",
    "text": "hello",
    "seq": 12,
    "changed_seq": 12,
    "number": 12,
    "head": 12,
    "cursor": 0,
    "after": 11,
    "to": 12,
    "kind": "text",
    "visible_from": 1,
    "unread": 1,
    "question_seq": 11,
    "bot_id": "81604370009",
    "offset": 0,
    "status": "answering",
    "read_seq": 12,
    "delivered_seq": 12,
    "deleted": False,
    "bot": False,
    "server_time": "2026-11-23T18:00:00.123Z",
    "created_at": "2026-11-23T18:00:00.123Z",
    "frame_bytes": 131_072,
    "text_characters": 8_000,
    "text_bytes": 32_768,
    "unanswered": 64,
    "cursors_per_sync": 1_000,
    "replay": 500,
    "limit": 100,
    "frames": [
        {"type": "skip", "conversation_id": _ID, "seq": 12},
        {"type": "user.changed", "feed_seq": 7},
    ],
}
# One credential is enough, and the example error has no `fields`.
_LEFT_OUT = {"Hello": {"token"}, "Failure": {"fields"}}
_OF_SCHEMA: dict[str, Json] = {
    "ConversationBody": {"id": _ID, "kind": "direct", "group": None},
    "MessageBody": {"system": None},
    "OwnUser": {"id": "81604370001"},
    "LastSeenBody": {"last_seen": "2026-11-23T18:00:00.123Z"},
    "PresenceChanged": {"online": False, "last_seen": "2026-11-23T18:00:00.123Z"},
    "UserSummary": {"id": "81604370002", "username": "bob", "display_name": "Bob"},
    "Failure": {
        "code": "rate_limited",
        "message": "Too many requests.",
        "retry": True,
        "retry_after": 2.5,
    },
}


def example_of(schema: str, schemas: Json) -> Json:
    """An example frame, or a part of one, of this schema."""
    own = _OF_SCHEMA.get(schema, {})
    found = {}
    for name, part in schemas[schema]["properties"].items():
        if name in _LEFT_OUT.get(schema, ()):
            continue
        value = own[name] if name in own else _value(name, part, schemas)
        # A missing field means the same as null, and is shorter.
        if value is not None or name in schemas[schema]["required"]:
            found[name] = value
    return found


def _value(name: str, part: Json, schemas: Json) -> Any:
    if "$ref" in part:
        return example_of(part["$ref"].rpartition("/")[2], schemas)
    if name in _NAMED:
        return _NAMED[name]
    if "anyOf" in part:
        shapes = [option for option in part["anyOf"] if "$ref" in option]
        return _value(name, shapes[0], schemas) if shapes else None
    if part.get("type") == "object":
        return {_ID: _value("seq", part["additionalProperties"], schemas)}
    if part.get("type") == "array":
        return [_value("", part["items"], schemas)]
    return _plain(part)


def _plain(part: Json) -> Any:
    if "enum" in part:
        return part["enum"][0]
    if part["type"] == "boolean":
        return True
    if part["type"] in {"integer", "number"}:
        return part.get("minimum", 1)
    return _ID if "pattern" in part else "…"
