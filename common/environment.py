"""Settings from the environment, read strictly: a value that cannot be one is named, not guessed."""

import math
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured

_SWITCHES = frozenset({"true", "on", "ok", "y", "yes", "1", "false", "off", "n", "no", "0", ""})
_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


def _is_number(kind: type[int | float], text: str) -> bool:
    try:
        return math.isfinite(kind(text))
    except (ValueError, OverflowError):
        return False


class Environment(environ.Env):  # type: ignore[misc]  # it ships no types
    """django-environ's, with the settings' names and types declared in one place.

    Spaces and line ends around a value are none of it: files from Windows have some.
    """

    def get_value(
        self,
        var: str,
        cast: Any = None,
        default: Any = environ.Env.NOTSET,
        parse_default: bool = False,  # noqa: FBT001, FBT002 - its signature
    ) -> Any:
        kind = self.scheme.get(var, (str,))[0]
        text = str(self.ENVIRON.get(var, "")).strip()
        if kind is bool and text.lower() not in _SWITCHES:
            raise ImproperlyConfigured(f"{var} must be {_KINDS[bool]}, and is {text!r}.")
        if kind in {int, float} and not text:
            # As good as not set.
            return self.scheme[var][1]
        if kind in {int, float} and not _is_number(kind, text):
            # django-environ would make 20 of "20s".
            raise ImproperlyConfigured(f"{var} must be {_KINDS[kind]}, and is {text!r}.")
        value = super().get_value(var, cast, default, parse_default)
        if isinstance(value, str):
            return value.strip()
        if isinstance(value, list):
            return [part.strip() for part in value if part.strip()]
        return value

    def one_of(self, name: str, choices: Sequence[str]) -> str:
        """The one of the choices that a setting names, in whatever case."""
        text = str(self(name))
        for choice in choices:
            if choice.casefold() == text.casefold():
                return choice
        raise ImproperlyConfigured(
            f"{name} must be one of {', '.join(filter(None, choices))}, and is {text!r}."
        )

    def time_zone(self, name: str) -> str:
        """The name of a time zone there is."""
        text = str(self(name))
        try:
            # A folder of zones is none.
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, OSError, ValueError) as error:
            raise ImproperlyConfigured(
                f"{name} must be the name of a time zone (Europe/Lisbon), and is {text!r}."
            ) from error
        return text
