"""Targets on the databases of the test suite."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from benchmarks.targets import Ours
from tests.kit.servers import fresh_database, running_redis

T = TypeVar("T", bound=Ours)


@contextmanager
def target_of(kind: type[T]) -> Iterator[T]:
    """A target of this kind, not prepared yet, on all processors."""
    with (
        fresh_database() as database_url,
        running_redis() as redis_url,
        tempfile.TemporaryDirectory(prefix="chatbe-bench-") as scratch,
    ):
        postgres: Any = _SuiteServer(database_url)
        redis: Any = _SuiteServer(redis_url)
        cpus = ",".join(map(str, os.sched_getaffinity(0)))
        yield kind(postgres, redis, cpus=cpus, scratch=scratch)


class _SuiteServer:
    """Stands in for a server of tools.services that the suite has started."""

    def __init__(self, url: str) -> None:
        self.url = url

    def create_database(self, _name: str) -> str:
        return self.url
