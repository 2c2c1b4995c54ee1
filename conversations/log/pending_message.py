"""What is to be appended to a log, and what became of it: the same on both databases."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from common.errors import ChatError, ClientIdReused, Forbidden, InvalidInput, NotFound, RateLimited
from common.ids import new_id
from conversations.models import Message
from conversations.schemas import MessageBody, MessageRow, SentBody, encode, sent_body


@dataclass(slots=True)
class PendingMessage:
    """A cleaned message that waits for its place. Equal keys are the same message."""

    conversation_id: int
    sender_id: int
    client_id: str
    text: str
    reply_to: int | None
    digest: bytes
    id: int = field(default_factory=new_id)

    @property
    def key(self) -> tuple[int, int, str]:
        return (self.conversation_id, self.sender_id, self.client_id)


@dataclass(slots=True, frozen=True)
class AppendResult:
    """The stored message of a draft; `fresh` if it was stored under the draft's own id.

    `json` is the message's JSON, made once for its reply and its event; `in_sight` whether
    the sender may see it as it is now.
    """

    message: MessageBody
    created: bool
    json: bytes
    in_sight: bool = True

    @classmethod
    def of(cls, message: MessageBody, *, created: bool, in_sight: bool = True) -> Self:
        return cls(message, created, encode(message), in_sight)

    @property
    def answer(self) -> MessageBody | SentBody:
        """What its sender is told."""
        return self.message if self.in_sight else sent_body(self.message)

    @property
    def answer_json(self) -> bytes:
        return self.json if self.in_sight else encode(self.answer)


Outcome = AppendResult | ChatError


def outcome_name(outcome: Outcome) -> str:
    """The word for it in the metrics."""
    if isinstance(outcome, AppendResult):
        return "stored" if outcome.created else "known"
    return outcome.code


def fresh_body(draft: PendingMessage, *, seq: int, number: int, created_at: str) -> MessageBody:
    """A draft that was stored, as readers see it."""
    return MessageBody(
        conversation_id=str(draft.conversation_id),
        seq=seq,
        changed_seq=seq,
        number=number,
        id=str(draft.id),
        sender_id=str(draft.sender_id),
        client_id=draft.client_id,
        kind=Message.Kind.TEXT.value,
        text=draft.text,
        system=None,
        reply_to=draft.reply_to,
        created_at=created_at,
        edited_at=None,
        deleted_at=None,
    )


def known_or_refused(
    draft: PendingMessage, outcome: str, columns: Sequence[Any], *, wait: int = 0
) -> Outcome:
    """What a draft that was not stored now is answered with.

    `outcome` is the append's word for it; `columns` those of the message that is "known"
    or, where its sender sees it no more, "out_of_sight";
    `wait` the seconds after which one that came too fast may come again.
    """
    if outcome in ("known", "out_of_sight"):
        row = MessageRow(*columns)
        # Our own id means that an earlier attempt of this very append was committed
        # though its answer was lost: it is news that nobody has announced yet.
        return AppendResult.of(row.body(), created=row.id == draft.id, in_sight=outcome == "known")
    refusals: dict[str, ChatError] = {
        "reused": ClientIdReused(),
        "closed": Forbidden("This conversation is closed."),
        "read_only": Forbidden("You cannot write in this conversation."),
        "slow": RateLimited("Slow mode: wait before you write again.", retry_after=float(wait)),
        "bad_reply": InvalidInput(fields={"reply_to": "is not a position of this conversation"}),
    }
    return refusals.get(outcome) or NotFound()
