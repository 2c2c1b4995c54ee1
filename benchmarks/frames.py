"""Counts what a server's frame holds without decoding it.

The load generator shares two cores with the database, so the usual frames (events and replies,
alone or in a `batch`) are only searched: `"type":"…"` with unescaped quotes cannot occur inside a
JSON string, and docs/protocol.md has exactly one per frame. Other frames are decoded.
"""

import json
from typing import Any


class Scanner:
    """`separator` is what the server's encoder writes between a name and its value."""

    def __init__(self, separator: str = ":") -> None:
        name = b'"type"' + separator.encode() + b'"'
        self._type = name
        self._batch = b"{" + name + b'batch"'
        self._created = name + b'message.created"'
        self._reply = name + b'reply"'
        self._ref = b'"ref"' + separator.encode() + b'"'

    def scan(self, payload: bytes) -> tuple[int, list[bytes], list[dict[str, Any]]]:
        """The number of `message.created`, the `ref`s of replies, all other frames decoded."""
        created = payload.count(self._created)
        replies = payload.count(self._reply)
        frames = payload.count(self._type) - payload.startswith(self._batch)
        if created + replies != frames:
            return self._decode(payload)
        refs = []
        at = 0
        for _ in range(replies):
            at = payload.index(self._ref, at) + len(self._ref)
            refs.append(payload[at : payload.index(b'"', at)])
        return created, refs, []

    def _decode(self, payload: bytes) -> tuple[int, list[bytes], list[dict[str, Any]]]:
        frame = json.loads(payload)
        created, refs, others = 0, [], []
        for inner in frame["frames"] if frame["type"] == "batch" else [frame]:
            if inner["type"] == "message.created":
                created += 1
            elif inner["type"] == "reply":
                refs.append(inner["ref"].encode())
            else:
                others.append(inner)
        return created, refs, others
