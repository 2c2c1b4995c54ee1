"""Password hashing that a crowd of logins cannot turn against the server.

One Argon2 hash takes PASSWORD_HASH_KIB of memory for as long as it runs, by design. Only a
few run at a time. The others wait for their turn in a short queue, which is shared out
among the networks they come from; meanwhile they hold neither a database connection nor a
request's place. Those that run do so in threads of low priority: whatever else the
process does needs little of a processor, and needs it at once.
"""

import contextlib
import dataclasses
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

from common.fair_queue import FairQueue
from common.request_slots import asker, slot_released
from common.text import normal_password

_AT_ONCE = max(2, os.cpu_count() or 1)
# A tenth of the share of a thread that nobody has asked to be nice.
_NICENESS = 10

hashing = FairQueue("passwords", at_once=_AT_ONCE)


def _be_nice() -> None:
    # Linux counts it by thread, and what Argon2 starts inherits it.
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


_threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hashing", initializer=_be_nice)


class BoundedArgon2Hasher(Argon2PasswordHasher):
    """Django's Argon2 hasher, run by as many threads at once as there are processors.

    All passwords pass it, whichever page, interface or command they come from. It
    raises Unavailable when the queue is full, or stood still for PASSWORD_QUEUE_SECONDS.
    """

    def params(self) -> Any:
        return dataclasses.replace(super().params(), memory_cost=int(settings.PASSWORD_HASH_KIB))

    def encode(self, password: str, salt: str) -> Any:
        return _in_turn(super().encode, normal_password(password), salt)

    def verify(self, password: str, encoded: str) -> Any:
        return _in_turn(super().verify, normal_password(password), encoded)


def ensure_room_to_hash() -> None:
    """Raise Unavailable now rather than after the attempt was counted."""
    hashing.check_room(asker(), length=settings.PASSWORD_QUEUE_MAX)


def _in_turn(work: Callable[[str, str], Any], *args: str) -> Any:
    limits = {"length": settings.PASSWORD_QUEUE_MAX, "seconds": settings.PASSWORD_QUEUE_SECONDS}
    with slot_released(), hashing.turn(asker(), **limits):
        return _threads.submit(work, *args).result()
