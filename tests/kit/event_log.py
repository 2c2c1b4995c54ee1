"""What one device did and saw, written down as it happens.

The client (`tests.kit.client`) writes it, the chaos checker reads it, and neither trusts
the other: the client notes what it applied, the checker works out from these notes
and from the database what the client should have had.

Messages are the JSON objects of docs/protocol.md, unchanged. Conversation, user and
message ids are strings, positions are numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One `message.send` that went out, or was about to when the socket broke."""

    conversation_id: str
    client_id: str
    text: str


@dataclass(slots=True)
class Edit:
    """One `message.edit`, or with `text` None a `message.delete`, that was about to go out.

    `changed_seq` is where the acked change stands, None as long as there is no ack.
    """

    conversation_id: str
    seq: int
    text: str | None
    changed_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """The server said that this message is committed."""

    conversation_id: str
    client_id: str
    seq: int
    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server said that this message is not stored and never will be."""

    conversation_id: str
    client_id: str
    code: str


@dataclass(frozen=True, slots=True)
class Applied:
    """The cursor went past `position`: a message as it then was, or None for a skip."""

    conversation_id: str
    position: int
    message: Message | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The copy was thrown away and read anew by REST: all of it, as of position `head`."""

    conversation_id: str
    head: int
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Fault:
    """A breach of the protocol that the client saw with its own eyes."""

    kind: str
    conversation_id: str
    detail: str


@dataclass(slots=True)
class Journal:
    """Everything of one device, in the order in which it happened.

    `cursors` and `counts` are kept up to date: the position per conversation that the
    client says it has reached, and how often it connected, retried, fetched and so on.
    `heard_of` are the conversations of which anything was ever shown to it, `shown` what
    of each: (place, position of the change) of rows, and heads as (head, head). `online`
    are the contacts it believes to be online, None before it was told.

    Times are those of `time.monotonic`, by (conversation, position): when a message was
    acked, when a position was applied, and since when the device had been live by then.
    """

    device: str
    user_id: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    changes: list[Applied | Loaded] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    cursors: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    heard_of: set[str] = field(default_factory=set)
    shown: dict[str, set[tuple[int, int]]] = field(default_factory=lambda: defaultdict(set))
    online: set[str] | None = None
    live_since: float | None = None
    acked_at: dict[tuple[str, int], float] = field(default_factory=dict)
    applied_at: dict[tuple[str, int], tuple[float, float | None]] = field(default_factory=dict)
