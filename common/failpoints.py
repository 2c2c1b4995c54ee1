"""Named places at which a test may end this process, to prove that nothing is lost there.

Armed only through the FAILPOINTS setting, as `name:probability` pairs separated by
commas; otherwise a call costs one dictionary look-up. The production check refuses
to start with any armed.
"""

import os
import random
import signal

from django.conf import settings

POINTS = (
    "append.locked",
    "append.before_commit",
    "writer.committed",
    "writer.acknowledged",
    "resume.replaying",
    "command.batch",
)

_armed: dict[str, float] = {}


def arm() -> None:
    """Read the FAILPOINTS setting; called once when a server process starts."""
    _armed.clear()
    for entry in settings.FAILPOINTS:
        name, _, probability = entry.partition(":")
        if name not in POINTS:
            raise ValueError(f"unknown failpoint {name!r}; there are {', '.join(POINTS)}")
        _armed[name] = float(probability or 1)


def armed(*names: str) -> bool:
    """Whether any of these points may fire."""
    return any(name in _armed for name in names)


def reach(name: str) -> None:
    """End this process with SIGKILL here, if this point is armed and the dice say so."""
    probability = _armed.get(name)
    if probability and random.random() < probability:  # noqa: S311 - a die, not a secret
        os.kill(os.getpid(), signal.SIGKILL)
