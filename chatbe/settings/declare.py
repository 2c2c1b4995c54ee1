"""Declaring settings: each once, with all there is to say about it.

`docs/settings.md` is made from these declarations (tools/settings_page.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.environment import Environment

env = Environment()


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable. `production` is what must or should hold with PRODUCTION."""

    name: str
    kind: type
    default: Any
    unit: str
    meaning: str
    production: str
    # The default as the page shows it, where it is not the value itself.
    shown: str | None

    @property
    def shown_default(self) -> str:
        """The default as it would be written into the environment; empty for none."""
        if self.shown is not None:
            return self.shown
        if isinstance(self.default, bool):
            return str(self.default).lower()
        if isinstance(self.default, list):
            return ",".join(self.default)
        return str(self.default)


@dataclass(slots=True)
class Section:
    """Settings of one topic, in the order of the page."""

    title: str
    intro: str
    outro: str
    settings: list[Setting] = field(default_factory=list)


SECTIONS: list[Section] = []
SETTINGS: dict[str, Setting] = {}


def section(title: str, *, intro: str = "", outro: str = "") -> None:
    """What is declared from here on belongs to this topic."""
    SECTIONS.append(Section(title, intro, outro))


def setting(
    name: str,
    kind: type,
    default: Any,
    unit: str,
    meaning: str,
    *,
    production: str = "",
    shown: str | None = None,
) -> Any:
    """Declare a setting; its value. Raises ImproperlyConfigured for one that cannot be."""
    declared = Setting(name, kind, default, unit, meaning, production, shown)
    SETTINGS[name] = declared
    SECTIONS[-1].settings.append(declared)
    env.scheme[name] = (kind, default)
    return env(name)
