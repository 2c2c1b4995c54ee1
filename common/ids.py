"""Time-ordered 63-bit ids (the Snowflake family).

41 bits of milliseconds since 2025, 13 bits of machine number, 9 bits of counter.
The machine number comes from a counter in the database when a process makes its
first id, after any fork. Ids of one process only ever grow, also when the clock
steps back; two processes can share a number only after 8,192 process starts, and
then the primary key refuses a collision and the writer tries again.

In JSON an id is a string: 63 bits do not fit a JavaScript number.
"""

import os
import secrets
import threading
import time
from datetime import datetime
from typing import Annotated

import msgspec
from django.db import connection

from common.database_errors import is_passing

EPOCH_MS = 1_735_689_600_000
MACHINE_BITS = 13
COUNTER_BITS = 9
MAX_ID = 2**63 - 1
ID_PATTERN = "^[1-9][0-9]{0,18}$"

# An id in a Struct that is sent. One that is received is read by `parse_id`.
IdText = Annotated[str, msgspec.Meta(pattern=ID_PATTERN)]


class IdGenerator:
    """Makes ids for one machine number; safe to call from any thread."""

    def __init__(self, machine: int) -> None:
        self._machine = machine % (1 << MACHINE_BITS)
        self._lock = threading.Lock()
        self._tick = 0

    def next(self) -> int:
        """The next id, larger than every id made here before."""
        now = (time.time_ns() // 1_000_000 - EPOCH_MS) << COUNTER_BITS
        with self._lock:
            # Time and counter are one number: when a millisecond's 512 ids are used
            # up, or the clock stepped back, we simply run a little ahead of it.
            self._tick = max(now, self._tick + 1)
            tick = self._tick
        milliseconds, counter = tick >> COUNTER_BITS, tick & ((1 << COUNTER_BITS) - 1)
        return (
            milliseconds << (MACHINE_BITS + COUNTER_BITS) | self._machine << COUNTER_BITS | counter
        )


_generator: IdGenerator | None = None
_generator_lock = threading.Lock()


def new_id() -> int:
    """A new id from this process's generator."""
    return (_generator or prepare()).next()


def is_prepared() -> bool:
    """Whether ids can be made without the database: on the event loop they must."""
    return _generator is not None


def prepare() -> IdGenerator:
    """Take this process's machine number now rather than inside somebody's request."""
    global _generator
    with _generator_lock:
        if _generator is not None:
            return _generator
        machine = _machine_number()
        if machine is None:
            # No database yet (`check`, the first `migrate`): a number for this one id.
            return IdGenerator(secrets.randbelow(1 << MACHINE_BITS))
        _generator = IdGenerator(machine)
        return _generator


def first_id_at(moment: datetime) -> int:
    """The smallest id of that millisecond: ids from then on are this or larger."""
    milliseconds = int(moment.timestamp() * 1000) - EPOCH_MS
    return max(0, milliseconds) << (MACHINE_BITS + COUNTER_BITS)


def parse_id(value: object) -> int:
    """Read an id as it stands in JSON or a URL.

    Raises ValueError for anything but a decimal string between "1" and 2**63 - 1
    without sign, spaces or leading zeros.
    """
    if not isinstance(value, str) or not value.isascii() or not value.isdigit():
        raise ValueError("an id is a string of digits")
    if len(value) > 19 or value[0] == "0" or int(value) > MAX_ID:
        raise ValueError("an id is a string of digits")
    return int(value)


def _machine_number() -> int | None:
    if connection.vendor == "postgresql":
        # A sequence, because a number taken in a transaction that is rolled back
        # must not be handed out again.
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT nextval(to_regclass('core_machine'))")
                number: int | None = cursor.fetchone()[0]
                return number
        except Exception as error:
            if is_passing(error):
                return None
            raise
    # SQLite has one server process; only short-lived commands run beside it.
    return secrets.randbelow(1 << MACHINE_BITS)


def _forget_after_fork() -> None:
    global _generator, _generator_lock
    _generator = None
    _generator_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
