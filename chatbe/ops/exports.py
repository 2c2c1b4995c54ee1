"""A copy of what belongs to one user, for that user.

The rule it guards: nothing in it that they could not see themselves, no secret of theirs,
and of other people only ids. What is written is read a page at a time.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from chatbe.ops.joined import USER_DATA
from common.batches import PAGE, UserDataExport, pages
from common.times import iso_milliseconds
from conversations.schemas import encode
from conversations.selectors.authored import own_messages

_README = """Everything this server keeps about user {user_id}, as JSON Lines: one object a line.

messages.jsonl has what you wrote, with the places of your messages in their conversations
("conversation_id" and "seq"). Deleted messages are empty. Other people are named by their
ids only, and nothing they wrote is in here. Times are UTC.
"""


def export_user(user_id: int, path: Path) -> Iterator[int]:
    """Write the archive; yields how many rows each step wrote.

    Nobody else may read the file, and it is there once it is complete. FileExistsError.
    """
    with _complete_or_absent(path) as file, ZipFile(file, "w", ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _README.format(user_id=user_id))
        for belonging in USER_DATA:
            with archive.open(f"{belonging.name}.jsonl", "w", force_zip64=True) as lines:
                yield from _write(lines, _rows(belonging, user_id))
        with archive.open("messages.jsonl", "w", force_zip64=True) as lines:
            yield from _write(lines, own_messages(user_id))


@contextmanager
def _complete_or_absent(path: Path) -> Iterator[IO[bytes]]:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        # Unlike a rename this takes nobody's place.
        os.link(draft, path)
    finally:
        draft.unlink()


def _write(lines: IO[bytes], rows: Iterable[Any]) -> Iterator[int]:
    number = 0
    for number, row in enumerate(rows, start=1):
        lines.write(encode(row) + b"\n")
        if number % PAGE == 0:
            yield PAGE
    yield number % PAGE


def _rows(belonging: UserDataExport, user_id: int) -> Iterator[dict[str, Any]]:
    for page in pages(belonging.rows(user_id), *belonging.fields):
        for row in page:
            yield {_name(field): _shown(field, row) for field in belonging.fields}


def _name(field: str) -> str:
    return field.removeprefix("conversation__")


def _shown(field: str, row: Mapping[str, Any]) -> Any:
    value = row[field]
    if isinstance(value, datetime):
        return iso_milliseconds(value)
    if isinstance(value, int) and (field == "id" or field.endswith("_id")):
        return str(value)
    return value
