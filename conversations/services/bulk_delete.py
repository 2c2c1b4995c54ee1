"""Emptying messages in numbers: those that are too old, and those of somebody who is erased.

What is left of each is a tombstone with its place, as after any deletion, and its change
takes a position of the log, so that every client learns of it. A conversation is locked
for one batch at a time; whoever is ended between two has done the first one whole.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import groupby

import msgspec
from django.db import transaction
from django.db.models import QuerySet

from common.ids import first_id_at
from conversations.log.changes import append_changes, lock_conversation
from conversations.models import Conversation, Message
from conversations.schemas import decode_system, encode
from conversations.selectors.authored import conversations_of, texts_of
from conversations.services.edits import tombstone

BATCH = 200
# How many rows, full or empty, one look at the log covers.
WINDOW = 20_000


def count_texts_before(kind: str, moment: datetime) -> Iterator[int]:
    """How many texts in conversations of this kind are older; yields a window's number each."""
    for due in _texts_before(kind, moment):
        yield due.count()


def empty_texts_before(kind: str, moment: datetime) -> Iterator[int]:
    """Empty those texts; yields each batch's number."""
    for due in _texts_before(kind, moment):
        places = due.order_by("conversation_id", "seq").values_list("conversation_id", "seq")
        for conversation_id, group in groupby(places, lambda row: row[0]):
            yield from empty_places(conversation_id, [seq for _, seq in group])


def _texts_before(kind: str, moment: datetime) -> Iterator[QuerySet[Message]]:
    """Texts that nobody has deleted, window by window."""
    full = Message.objects.filter(kind=Message.Kind.TEXT, deleted_at=None, conversation__kind=kind)
    for start, end in _windows(first_id_at(moment)):
        yield full.filter(id__gt=start, id__lte=end)


def empty_texts_of(user_id: int) -> Iterator[int]:
    """Empty all texts of a user; yields each batch's number."""
    for conversation_id in conversations_of(user_id):
        seqs = texts_of(user_id, conversation_id).values_list("seq", flat=True)
        yield from empty_places(conversation_id, list(seqs))


def _windows(end: int) -> Iterator[tuple[int, int]]:
    """Ranges (after, to] of ids below `end` that hold WINDOW messages each.

    A question for what is full may have to pass over any number of tombstones: it is
    asked about so many rows at a time.
    """
    ids = Message.objects.filter(id__lt=end).order_by("id").values_list("id", flat=True)
    start = 0
    while True:
        last = list(ids.filter(id__gt=start)[WINDOW - 1 : WINDOW])
        if not last:
            yield start, end - 1
            return
        yield start, last[0]
        start = last[0]


def empty_places(conversation_id: int, seqs: list[int]) -> Iterator[int]:
    """Empty the messages at these places; yields each batch's number."""
    for start in range(0, len(seqs), BATCH):
        yield _empty_batch(conversation_id, seqs[start : start + BATCH])


def empty_system_values(conversation: Conversation) -> int:
    """Empty the names in system messages of a locked conversation without members; their number.

    The rows take no new position: there is nobody to be told.
    """
    emptied = 0
    rows = Message.objects.filter(conversation=conversation, kind=Message.Kind.SYSTEM)
    for message in rows.iterator(chunk_size=BATCH):
        system = decode_system(message.text)
        if system.value:
            text = encode(msgspec.structs.replace(system, value="")).decode()
            Message.objects.filter(id=message.id).update(text=text)
            emptied += 1
    return emptied


@transaction.atomic
def _empty_batch(conversation_id: int, seqs: Collection[int]) -> int:
    conversation = lock_conversation(conversation_id)
    # Read under the lock: somebody may have deleted one meanwhile.
    rows = Message.objects.filter(conversation_id=conversation_id, seq__in=seqs, deleted_at=None)
    messages = list(rows.order_by("seq"))
    for message in messages:
        tombstone(message)
    if messages:
        append_changes(conversation, messages)
    return len(messages)
