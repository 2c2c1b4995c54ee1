"""Changing the keys that sign access tokens, without logging anybody out.

A key is `kid:secret`; the first of the list signs, all verify. Processes get a new list
one after the other, so a key may sign only when all of them know it, and go only when no
token of it is left. Hence three steps, each of them a list for all processes:

    add      old, new    everybody learns the new key
    promote  new, old    the new key signs
    drop     new         after ACCESS_TOKEN_SECONDS

Between a step and the next there are two lists about, and every token that a process with
one of them signs is known to those with the other.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from common.errors import Conflict

_SECRET_BYTES = 48


def new_key(kid: str = "") -> str:
    """A new key; named after the moment it is made, unless it is given a name."""
    kid = kid or f"{datetime.now(UTC):k%Y%m%d%H%M%S}"
    return f"{kid}:{secrets.token_urlsafe(_SECRET_BYTES)}"


def add(keys: Sequence[str]) -> list[str]:
    """The list with a new key that does not sign yet. Conflict."""
    if len(keys) > 1:
        raise Conflict("There is more than one key already: finish that rotation first.")
    return [*keys, new_key()]


def promote(keys: Sequence[str]) -> list[str]:
    """The list whose last key signs. Conflict."""
    if len(keys) < 2:
        raise Conflict("There is only one key: add another first.")
    return [keys[-1], *keys[:-1]]


def drop(keys: Sequence[str]) -> list[str]:
    """The list with nothing but the key that signs. Conflict."""
    if len(keys) < 2:
        raise Conflict("There is only one key: it signs, and stays.")
    return [keys[0]]


STEPS = {"add": add, "promote": promote, "drop": drop}


def kid_of(key: str) -> str:
    """The name of a key: all of it that may be shown."""
    return key.partition(":")[0]
