"""docs/glossary.md against the code: every noun of the design has one entry, and no other name."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest

from tests.test_architecture import PROJECT, module_of, product_files

GLOSSARY = PROJECT / "docs" / "glossary.md"
# Where the design lives: each public class here is one of its nouns.
DESIGN = ("realtime", "conversations.log", "common.limits", "presence")
# Of these the frameworks' own documents tell: JSON, tables, pages of the admin.
NO_NOUNS = tuple(
    f"presence.{module}"
    for module in ("admin", "apps", "events", "models", "schemas", "serializers", "views")
)

# Names that were replaced, by what. None of them may come back, in code or in docs.
RETIRED = {
    "Appended": "AppendResult",
    "Attendance": "LeaseTracker",
    "Belonging": "UserDataExport",
    "Deed": "AdminAction",
    "Doorway": "HandshakeThrottle",
    "Draft": "PendingMessage",
    "Entrance": "AdmissionControl",
    "Gathered": "BatchLoader",
    "Greeted": "AuthenticatedSocket",
    "Holes": "GapFiller",
    "LOG_LANES": "WRITER_THREADS",
    "Letterbox": "LazyQueue",
    "LookAdmin": "ReadOnlyAdmin",
    "Looks": "ResumeReads",
    "MadeWithin": "CreatedWithinFilter",
    "NearPaginator": "BoundedPaginator",
    "Overtaken": "LockConflict",
    "PAPER_CODES": "RECOVERY_CODES",
    "PostOffice": "MailQueue",
    "Resting": "CircuitOpen",
    "Runtime": "Node",
    "Typists": "TypingTracker",
    "UserHint": "UserEphemeralEvent",
    "again_if_overtaken": "retry_on_lock_conflict",
    "bury": "tombstone",
    "feed_moving": "on_feed_change",
    "forgive_guesses": "reset_login_throttle",
    "give_up": "cancel",
    "note_use": "touch_sessions",
    "parted": "blocked",
    "prove_password": "reauthenticate",
    "put_out": "evict",
    "sole_process": "single_instance",
    "start_page": "dashboard",
    "summary_of_gone": "deleted_user_summary",
    "ungreeted": "pending_handshakes",
    "user_coming_or_going": "user_status_changing",
    "users_here_for": "visible_users",
    "who_may_talk_with": "messageable_users",
}
# The same of words, in prose.
RETIRED_WORDS = {
    "deed": "action",
    "lane": "writer worker",
    "mails": "emails",
    "old interface": "legacy v1 API",
    "post office": "mail queue",
    "put out": "evict, remove",
    "shut out": "deactivated",
    "stepped aside": "quarantined",
}


@lru_cache(maxsize=1)
def entries() -> list[tuple[str, list[str]]]:
    """Each term with what it is called in the code."""
    rows = re.findall(r"^\| ([^|]+?) \| [^|]+ \| ([^|]+) \|$", GLOSSARY.read_text(), re.MULTILINE)
    return [(term, re.findall(r"`([^`]+)`", code)) for term, code in rows if code != "in the code"]


@lru_cache(maxsize=1)
def classes() -> dict[str, str]:
    """Every public class of the product, and its module."""
    return {
        node.name: module_of(path)
        for path in product_files()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def prose_files() -> list[Path]:
    files = [PROJECT / "README.md", *PROJECT.glob("docs/**/*.md")]
    return [path for path in files if path != GLOSSARY and "adr" not in path.parts]


def test_every_term_has_one_entry():
    counts = Counter(part for term, _ in entries() for part in term.split(", "))
    assert [term for term, count in counts.items() if count > 1] == []


def test_what_the_glossary_names_is_there():
    def exists(name: str) -> bool:
        return (PROJECT / name).exists() if "/" in name else name in classes()

    assert [name for _, code in entries() for name in code if not exists(name)] == []


def test_every_noun_of_the_design_has_an_entry():
    named = {name for _, code in entries() for name in code}
    nouns = {
        name
        for name, module in classes().items()
        if module.startswith(DESIGN) and not module.startswith(NO_NOUNS)
    }
    assert nouns - named == set()


def test_retired_names_are_gone_from_the_code():
    found = []
    for path in PROJECT.glob("*/**/*.py"):
        if {"migrations", ".venv"} & set(path.parts) or path == Path(__file__):
            continue
        found += [
            f"{path.relative_to(PROJECT)}:{token.start[0]} {token.string}"
            for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
            if token.type == tokenize.NAME and token.string in RETIRED
        ]
    assert found == []


@pytest.mark.parametrize("path", prose_files(), ids=lambda path: path.name)
def test_retired_words_are_gone_from_the_docs(path):
    text = path.read_text()
    words = {*RETIRED, *RETIRED_WORDS}
    assert [word for word in words if re.search(rf"(?<![\w-]){word}s?(?![\w-])", text)] == []


def test_retired_words_are_gone_from_comments():
    found = []
    for path in product_files():
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.COMMENT or token.string.startswith('"""'):
                found += [
                    f"{path.relative_to(PROJECT)}:{token.start[0]} {word}"
                    for word in RETIRED_WORDS
                    if re.search(rf"(?<![\w-]){word}s?(?![\w-])", token.string)
                ]
    assert found == []
