"""What the documents say, read so that it can be compared with the code.

A Kind is one sort of thing that has to be in a document: all commands, all settings. Its
`told` reads them out of the document's text, its `done` out of the code.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from django.core.management import get_commands, load_command_class
from msgspec.structs import fields

from chatbe.gateway.dispatch import COMMAND_TYPES
from chatbe.gateway.docs.asyncapi import asyncapi_document
from chatbe.gateway.events import EVENTS, tag_of
from chatbe.gateway.protocol_events import Failure
from common.errors import error_table
from realtime.protocol import Reply

PROJECT = Path(__file__).resolve().parents[2]
SERVED = (
    "accounts",
    "chatbe",
    "chatbot",
    "common",
    "contacts",
    "conversations",
    "groups",
    "moderation",
    "presence",
    "realtime",
)
CODE = {
    path: path.read_text()
    for app in SERVED
    for path in (PROJECT / app).rglob("*.py")
    if "tests" not in path.parts
}


@dataclass(frozen=True)
class Kind:
    """Things of one sort: as their document tells of them, and as the code has them."""

    document: Path
    told: Callable[[str], Collection[str]]
    done: Callable[[], Collection[str]]

    def gaps(self, text: str | None = None) -> list[str]:
        """What this text (or the document's own) and the code do not have in common."""
        told = self.told(self.document.read_text() if text is None else text)
        return gaps(told, self.done())


def gaps(told: Iterable[str], done: Iterable[str]) -> list[str]:
    """Each thing that only one of the two knows, in words."""
    known, real = set(told), set(done)
    missing = [f"not in the document: {thing}" for thing in sorted(real - known)]
    return missing + [f"not in the code: {thing}" for thing in sorted(known - real)]


def rows_under(text: str, heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


# --- commands and events ------------------------------------------------------------------


def told_commands(text: str) -> list[str]:
    return [
        f"{row[0]} {told_fields(re.sub(r'[({][^)}]*[)}]', '', row[1]))}"
        for row in rows_under(text, "Commands")
    ]


def told_fields(cell: str) -> str:
    """`a`, `b`? as "a, b?"."""
    return ", ".join(f"{name}{mark}" for name, mark in re.findall(r"`(\w+)`(\??)", cell))


def done_commands() -> list[str]:
    # Of the two credentials of `hello` it takes one: the table says so in words.
    return [f"`{tag_of(kind)}` {done_fields(kind, {'ticket', 'token'})}" for kind in COMMAND_TYPES]


def done_fields(kind: type, always: Collection[str] = ()) -> str:
    return ", ".join(
        field.name if field.required or field.name in always else f"{field.name}?"
        for field in fields(kind)
        if field.name != "ref"
    )


def told_events(text: str) -> list[str]:
    return [f"{row[0]} {told_fields(row[1])}".strip() for row in rows_under(text, "Events")]


def done_events() -> list[str]:
    return [
        f"`{tag_of(kind)}` {done_fields(kind)}".strip()
        for kind in EVENTS
        if not issubclass(kind, Reply) and kind is not Failure and tag_of(kind) != "live"
    ]


def told_answers(text: str) -> list[str]:
    cells = [row[2] for row in rows_under(text, "Commands")]
    replies = {f"reply.{name}" for cell in cells for name in re.findall(r"with `(\w+)`", cell)}
    said = {name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)}
    return sorted(replies | said & {"welcome", "live", "pong", "range"})


def done_answers() -> list[str]:
    operations = asyncapi_document()["operations"].values()
    replies = [reply for operation in operations for reply in operation.get("reply", {}).values()]
    named = [message["$ref"] for reply in replies if isinstance(reply, list) for message in reply]
    return sorted({name.rpartition("/")[2] for name in named} - {"error"})


def sent_types() -> set[str]:
    """The types of all frames that the code builds."""
    text = "\n".join(CODE.values())
    said = set(re.findall(r'encode_frame\(\s*"([\w.]+)"', text))
    return said | set(re.findall(r'"type":"([\w.]+)"', text))


# --- errors, settings, targets --------------------------------------------------------------


def told_errors(text: str) -> list[str]:
    return [" | ".join(row) for row in rows_under(text, "Errors")]


def done_errors() -> list[str]:
    return [
        f"`{e.code}` | {e.status} | {'yes' if e.retry else 'no'} | {e.close_code or ''}"
        for e in error_table()
    ]


def told_close_codes(text: str) -> list[str]:
    by_the_way = re.findall(r"closes with (\d+)", text)
    return by_the_way + [row[3] for row in rows_under(text, "Errors") if row[3]]


def done_close_codes() -> list[str]:
    return [str(row["closeCode"]) for row in asyncapi_document()["x-close-codes"]]


def told_targets(text: str) -> list[str]:
    return re.findall(r"^\| `make ([a-z-]+)", text, re.MULTILINE)


def done_targets() -> list[str]:
    makefile = (PROJECT / "Makefile").read_text()
    # The table calls it by its other name, `make` alone.
    return [
        name for name in re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE) if name != "help"
    ]


def told_management(text: str) -> list[str]:
    return [
        f"{name}: {told}"
        for name, told in re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE)
    ]


def done_management() -> list[str]:
    ours = {name: app for name, app in get_commands().items() if app.startswith(SERVED)}
    helps = {name: load_command_class(app, name).help for name, app in ours.items()}
    return [f"{name}: {told.splitlines()[0]}" for name, told in helps.items()]


_PROTOCOL = PROJECT / "docs" / "protocol.md"
KINDS = {
    "commands": Kind(_PROTOCOL, told_commands, done_commands),
    "events": Kind(_PROTOCOL, told_events, done_events),
    "answers": Kind(_PROTOCOL, told_answers, done_answers),
    "errors": Kind(_PROTOCOL, told_errors, done_errors),
    "close codes": Kind(_PROTOCOL, told_close_codes, done_close_codes),
    "management commands": Kind(PROJECT / "docs" / "commands.md", told_management, done_management),
    "targets of make": Kind(PROJECT / "README.md", told_targets, done_targets),
}
