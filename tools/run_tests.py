"""Runs the whole suite twice, as `make test`: embedded, and on PostgreSQL and Redis.

The embedded half has SQLite and the in-memory layer. The other takes DATABASE_URL and REDIS_URL
where they are set, otherwise throw-away servers of its own; where there can be none it says so,
loudly, and with CI=true that counts as a failure: a suite that passed by not running is a lie.

The halves run at the same time, for most of a test is waiting, and the second one, whose tests
take longer, in two parts with servers of their own. What these print is shown when the first
half is done. Browser tests come after the first half, on SQLite alone: a page
does not know what is behind the server. They have a pytest of their own, for Playwright keeps
an event loop running in the main thread until its session ends, and every async test after it
would fail.

Arguments go to pytest: `make test ARGS="-k resume -x"`. The last line sums up all of its runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tools import programs
from tools.process_tree import adopt_orphans, kill_descendants
from tools.processes import wait_until
from tools.programs import ServiceError
from tools.services import Postgres, Redis

if TYPE_CHECKING:
    import pytest

PROJECT = Path(__file__).resolve().parent.parent
COUNTS_FILE = "RUN_TESTS_COUNTS_FILE"
PART = "RUN_TESTS_PART"
OUTCOMES = ("failed", "passed", "skipped", "xfailed", "xpassed", "error")
NO_TESTS_COLLECTED = 5
# Of the ways to deal the files out, one with which both parts take about the same time.
SHUFFLE = 69
INSTALLING = threading.Lock()
# For tests that are interrupted to put away what they have; then everything is ended.
INTERRUPT_SECONDS = 4
MEMORY = Path("/dev/shm")  # noqa: S108 - everything in it gets a private folder
MEMORY_MIN_BYTES = 4 * 1024**3


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """pytest's hook, because each run loads this module as a plugin: hand the counts back."""
    counts = {
        name: sum(
            getattr(report, "count_towards_summary", True)
            for report in terminalreporter.getreports(name)
        )
        for name in OUTCOMES
    }
    Path(os.environ[COUNTS_FILE]).write_text(json.dumps(counts))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """pytest's hook: of each file all tests or none, so that what they share is made once."""
    part, _, parts = os.environ.get(PART, "0/1").partition("/")
    mine: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        place = zlib.crc32(os.path.relpath(item.path, PROJECT).encode(), SHUFFLE)
        (mine if place % int(parts) == int(part) else others).append(item)
    items[:] = mine
    config.hook.pytest_deselected(items=others)


@dataclass
class Suite:
    """What all runs of pytest together came to."""

    arguments: Sequence[str]
    markexpr: str
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    counting: threading.Lock = field(default_factory=threading.Lock)

    def run(
        self,
        title: str,
        marks: Sequence[str],
        environment: Mapping[str, str],
        output: IO[str],
    ) -> None:
        """One run of pytest, with a DATA_DIR that goes with it."""
        banner(title, output)
        expression = " and ".join(f"({mark})" for mark in (*marks, self.markexpr) if mark)
        with tempfile.TemporaryDirectory(prefix="chatbe-tests-") as scratch:
            counts_file = Path(scratch) / "counts.json"
            command = [sys.executable, "-m", "pytest", "-p", "tools.run_tests"]
            process = subprocess.Popen(
                [*command, *self.arguments, "-m", expression],
                cwd=PROJECT,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={
                    **environment,
                    "DATA_DIR": str(Path(scratch) / "data"),
                    COUNTS_FILE: str(counts_file),
                },
            )
            self.running.append(process)
            status = process.wait()
            counts = json.loads(counts_file.read_text()) if counts_file.exists() else {}
        with self.counting:
            self.counts.update(counts)
            if status not in {0, NO_TESTS_COLLECTED}:
                self.problems.append(f"{title}: pytest ended with status {status}")
                if not counts.get("failed") and not counts.get("error"):
                    self.counts["error"] += 1

    def skip(self, title: str, reason: object) -> None:
        self.problems.append(f"{title}: NOT RUN. {reason}")
        banner(self.problems[-1])
        if is_ci():
            self.counts["error"] += 1

    def closing_line(self, seconds: float) -> str:
        plural = {"error": "errors" if self.counts["error"] != 1 else "error"}
        parts = [f"{self.counts[name]} {plural.get(name, name)}" for name in OUTCOMES]
        told = [part for part in parts if not part.startswith("0 ")]
        text = f" {', '.join(told) or 'no tests ran'} in {seconds:.1f}s "
        return text.center(max(shutil.get_terminal_size().columns, len(text) + 8), "=")

    @property
    def has_failed(self) -> bool:
        return bool(self.counts["failed"] or self.counts["error"]) or not sum(self.counts.values())


def is_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def banner(text: str, output: IO[str] = sys.stdout) -> None:
    line = "#" * 80
    print(f"\n{line}\n# {text}\n{line}", file=output, flush=True)


def run_on_servers(
    suite: Suite, environment: Mapping[str, str], output: IO[str], part: int, parts: int
) -> None:
    title = "Half 2 of 2: PostgreSQL and Redis"
    if parts > 1:
        title += f", part {part + 1} of {parts}"
    try:
        with database_and_redis() as urls:
            marks = ["not embedded_only", "not browser"]
            suite.run(title, marks, {**environment, **urls, PART: f"{part}/{parts}"}, output)
    except ServiceError as error:
        suite.skip(title, error)


def run_both(suite: Suite, environment: Mapping[str, str]) -> None:
    # On servers that are not ours to multiply it is one.
    given = os.environ.get("DATABASE_URL") or os.environ.get("REDIS_URL")
    parts = 1 if given else 2
    with contextlib.ExitStack() as stack:
        others = stack.enter_context(ThreadPoolExecutor(parts))
        told = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(parts)]
        second = [
            others.submit(run_on_servers, suite, environment, output, part, parts)
            for part, output in enumerate(told)
        ]
        try:
            title = "Half 1 of 2: SQLite and the in-memory layer"
            suite.run(title, ["not postgres", "not browser"], environment, sys.stdout)
            if "CHROMIUM" in environment:
                suite.run("In the browser", ["browser"], environment, sys.stdout)
            for run in second:
                run.result()
        except BaseException:
            interrupt(suite)
            raise
        finally:
            for output in told:
                output.seek(0)
                shutil.copyfileobj(output, sys.stdout)


def interrupt(suite: Suite) -> None:
    """End the tests, gently for a moment, and whatever they and we have started."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    running = [process for process in suite.running if process.poll() is None]
    for process in running:
        process.send_signal(signal.SIGINT)
    wait_until(lambda: all(process.poll() is not None for process in running), INTERRUPT_SECONDS)
    kill_descendants()


def keep_files_in_memory() -> None:
    """Spare the tests the waiting for the disk, which is not what they are about.

    Processes die in them, the machine never does: what was written survives in memory, too.
    """
    if "TMPDIR" in os.environ or not MEMORY.is_dir():
        return
    found = os.statvfs(MEMORY)
    has_room = found.f_bavail * found.f_frsize >= MEMORY_MIN_BYTES
    if has_room and os.access(MEMORY, os.W_OK) and not found.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


@contextlib.contextmanager
def database_and_redis() -> Iterator[dict[str, str]]:
    """The URLs of a PostgreSQL and a Redis: those in the environment, else throw-away ones."""
    urls = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
    with contextlib.ExitStack() as stack:
        if not all(urls.values()):
            with INSTALLING:
                programs.install("postgres", "redis")
            urls["DATABASE_URL"] = urls["DATABASE_URL"] or stack.enter_context(Postgres()).url
            urls["REDIS_URL"] = urls["REDIS_URL"] or stack.enter_context(Redis()).url
        yield urls


def main() -> int:
    # Only the last -m counts for pytest: the caller's has to become part of ours.
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-m", dest="markexpr", default="")
    options, arguments = parser.parse_known_args()
    suite = Suite(arguments=arguments, markexpr=options.markexpr)
    started = time.monotonic()
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    # Whoever started us in the background may have had it ignored, for us and ours.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    keep_files_in_memory()
    plain = {**os.environ}
    for name in ("DATABASE_URL", "REDIS_URL"):
        plain.pop(name, None)
    try:
        plain["CHROMIUM"] = str(programs.install_browser())
    except ServiceError as error:
        suite.skip("Browser tests", error)
    for title, names in (
        ("The README's curl conversation", ["curl"]),
        ("Servers behind a proxy", ["nginx", "caddy"]),
        ("Servers in front of a PgBouncer", ["pgbouncer"]),
    ):
        try:
            programs.install(*names)
        except ServiceError as error:
            suite.skip(title, error)

    run_both(suite, plain)
    for problem in suite.problems:
        banner(problem)
    print(f"\n{suite.closing_line(time.monotonic() - started)}", flush=True)
    return 1 if suite.has_failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
