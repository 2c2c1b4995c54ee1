"""What `run` asks of the generator process, and what that answers. Both are JSON."""

import os
from typing import Any

import msgspec

from benchmarks.cpu import Meter


class Seat(msgspec.Struct, kw_only=True):
    """One socket. `hello` opens the session; None if the server needs none."""

    url: str
    hello: dict[str, Any] | None = None


class Conversation(msgspec.Struct, kw_only=True):
    """`members` are indexes into the job's `seats`."""

    id: str
    members: list[int]


class Job(msgspec.Struct, kw_only=True):
    """One timed run of a workload against one server that is already up.

    `prefix` begins every `client_id`; `processes` are process ids whose CPU time is to be
    measured, by name; `options` are the workload's own.
    """

    workload: str
    prefix: str
    separator: str
    seats: list[Seat]
    conversations: list[Conversation]
    processes: dict[str, int]
    options: dict[str, float]

    def meter(self) -> Meter:
        """A meter of these processes and of the generator, which is the caller."""
        return Meter({**self.processes, "generator": os.getpid()})


class Outcome(msgspec.Struct, kw_only=True):
    """`acked` are client_ids answered with a reply; `faults` count what must not happen."""

    figures: dict[str, float]
    acked: list[str]
    faults: dict[str, int]
