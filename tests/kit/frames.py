"""Frames from the server, read strictly: one that is not as documented is a fault.

So every test with a socket proves the AsyncAPI document, which is made of the same Structs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import django

Frame = dict[str, Any]


def read_frames(data: str | bytes) -> list[Frame]:
    """The frames of one that was received, batches taken apart; raises ValidationError."""
    _decoder()(data)
    frame = json.loads(data)
    frames: list[Frame] = frame["frames"] if frame["type"] == "batch" else [frame]
    return frames


@cache
def _decoder() -> Callable[[str | bytes], Any]:
    # The load generators use this without Django, whose models the Structs are next to.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
    django.setup()
    from chatbe.gateway.events import decode_event

    return decode_event
