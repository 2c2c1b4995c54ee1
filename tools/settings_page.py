"""Writes docs/settings.md from the declarations in chatbe/settings: `make settings-page`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from chatbe import settings as product
from chatbe.settings.declare import SECTIONS, Section, Setting

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
ORDER = (
    "The installation",
    "Security",
    "The database and Redis",
    "The message log and delivery",
    "Sockets and messages",
    "Accounts",
    "Email",
    "Contacts",
    "Groups",
    "Moderation",
    "Chatbot",
    "REST",
    "HTTP",
    "The legacy v1 API",
    "Metrics",
    "Tests of faults",
)
INTRO = """\
# Settings

Every setting is an environment variable. You need not set any to try the server: it then runs \
in one process on SQLite, in memory where Redis would be, and keeps everything under `DATA_DIR`. \
Separate the items of a list by commas; a boolean is `true` or `false`. Spaces and line ends \
around a value are ignored. A value that cannot be right keeps every command from starting, with \
a message that names it.

**must** in the last column: with `PRODUCTION=true` the server does not start otherwise. A dash \
as the default means empty.

This page is made from the declarations in `chatbe/settings` by `make settings-page`.
"""


def page() -> str:
    sections = sorted(SECTIONS, key=lambda section: ORDER.index(section.title))
    return "\n".join([INTRO, *(line for section in sections for line in _lines(section))])


def _lines(section: Section) -> Iterator[str]:
    yield f"## {section.title}\n"
    if section.intro:
        yield f"{section.intro}\n"
    yield "| name | default | unit | meaning | in production |"
    yield "|---|---|---|---|---|"
    for setting in section.settings:
        yield _row(setting)
    yield ""
    if section.outro:
        yield f"{section.outro}\n"


def _row(setting: Setting) -> str:
    default = f"`{setting.shown_default}`" if setting.shown_default else "–"  # noqa: RUF001 - the page's dash
    cells = [f"`{setting.name}`", default, setting.unit, setting.meaning, setting.production]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def main() -> int:
    # Importing the settings has declared them.
    assert product.PRODUCTION is not None
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
