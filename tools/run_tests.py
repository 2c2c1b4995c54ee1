"""Runs the tests, as `make test`: each once, on PostgreSQL and Redis or on SQLite.

`tools.pytest_plugin` says which test belongs where. The runs go on at the same time, for most of
a test is waiting, each with workers of its own (pytest-xdist). Browser tests have a pytest of
their own: Playwright keeps an event loop running in the main thread, where no async test could
follow. What the others print is shown when the first is done.

PostgreSQL and Redis are those of DATABASE_URL and REDIS_URL where these are set, otherwise
throw-away servers; where there can be none a run says so, loudly, and with CI=true that counts
as a failure: a suite that passed by not running is a lie.

`--tier` chooses `fast` (the default), `slow` or `all`. Other arguments go to pytest:
`make test ARGS="-k resume -x"`. Files that are named run on SQLite at once, whatever their tier,
and what they have for PostgreSQL or the browser beside it. The last line sums up all runs.
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
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tools import programs, pytest_plugin
from tools.process_tree import adopt_orphans, kill_descendants
from tools.processes import wait_until
from tools.programs import ServiceError
from tools.services import Postgres, Redis

PROJECT = Path(__file__).resolve().parent.parent
NO_TESTS_COLLECTED = 5
INSTALLING = threading.Lock()
# For tests that are interrupted to put away what they have; then everything is ended.
INTERRUPT_SECONDS = 4
MEMORY = Path("/dev/shm")  # noqa: S108 - everything in it gets a private folder
MEMORY_MIN_BYTES = 4 * 1024**3
# pytest's options without a value, as far as people put a file behind them.
FLAGS = frozenset({"-x", "-q", "-v", "-vv", "-s", "--lf", "--ff", "--sw"})
TITLES = {
    "sqlite": "SQLite and the in-memory layer",
    "postgres": "PostgreSQL and Redis",
    "browser": "In the browser",
}
# Processes that run tests; while one waits, another computes.
WORKERS = {"sqlite": 2, "postgres": 3, "browser": 0}


@dataclass
class Suite:
    """What all runs of pytest together came to."""

    arguments: Sequence[str]
    markexpr: str
    tier: str
    # Whether files were named.
    is_part: bool
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    counting: threading.Lock = field(default_factory=threading.Lock)

    def command(self, run: str) -> list[str]:
        command = [sys.executable, "-m", "pytest", "-p", "tools.pytest_plugin"]
        if WORKERS[run] and not self.is_part:
            # Of each file all tests, so that what they share is made once.
            command += ["-n", str(WORKERS[run]), "--dist", "loadfile"]
        return [*command, *self.arguments, "-m", self.markexpr]

    def environment(self, run: str) -> dict[str, str]:
        tier = "all" if self.is_part else self.tier
        named = "1" if self.is_part else ""
        return {
            pytest_plugin.RUN: run,
            pytest_plugin.TIER: tier,
            pytest_plugin.NAMED: named,
        }

    def has_tests(self, run: str, environment: Mapping[str, str]) -> bool:
        """Whether a run would have any tests; only asked of files that are named."""
        found = subprocess.run(
            [*self.command(run), "--collect-only", "--quiet"],
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            env={**environment, **self.environment(run)},
        )
        return found.returncode != NO_TESTS_COLLECTED

    def run(self, run: str, environment: Mapping[str, str], output: IO[str]) -> None:
        """One run of pytest, with a DATA_DIR that goes with it."""
        banner(TITLES[run], output)
        with tempfile.TemporaryDirectory(prefix="chatbe-tests-") as scratch:
            counts_file = Path(scratch) / "counts.json"
            process = subprocess.Popen(
                self.command(run),
                cwd=PROJECT,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={
                    **environment,
                    **self.environment(run),
                    "DATA_DIR": str(Path(scratch) / "data"),
                    pytest_plugin.COUNTS_FILE: str(counts_file),
                },
            )
            self.running.append(process)
            status = process.wait()
            counts = json.loads(counts_file.read_text()) if counts_file.exists() else {}
        with self.counting:
            self.counts.update(counts)
            if status not in {0, NO_TESTS_COLLECTED}:
                self.problems.append(f"{TITLES[run]}: pytest ended with status {status}")
                if not counts.get("failed") and not counts.get("error"):
                    self.counts["error"] += 1

    def skip(self, title: str, reason: object) -> None:
        self.problems.append(f"{title}: NOT RUN. {reason}")
        banner(self.problems[-1])
        if is_ci():
            self.counts["error"] += 1

    def closing_line(self, seconds: float) -> str:
        plural = {"error": "errors" if self.counts["error"] != 1 else "error"}
        outcomes = pytest_plugin.OUTCOMES
        parts = [f"{self.counts[name]} {plural.get(name, name)}" for name in outcomes]
        shown = [part for part in parts if not part.startswith("0 ")]
        text = f" {', '.join(shown) or 'no tests ran'} in {seconds:.1f}s "
        return text.center(max(shutil.get_terminal_size().columns, len(text) + 8), "=")

    @property
    def has_failed(self) -> bool:
        return bool(self.counts["failed"] or self.counts["error"]) or not sum(self.counts.values())


def is_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def banner(text: str, output: IO[str] = sys.stdout) -> None:
    line = "#" * 80
    print(f"\n{line}\n# {text}\n{line}", file=output, flush=True)


def run_on_servers(suite: Suite, environment: Mapping[str, str], output: IO[str]) -> None:
    if suite.is_part and not suite.has_tests("postgres", environment):
        return
    try:
        with database_and_redis() as urls:
            suite.run("postgres", {**environment, **urls}, output)
    except ServiceError as error:
        suite.skip(TITLES["postgres"], error)


def run_in_browser(suite: Suite, environment: Mapping[str, str], output: IO[str]) -> None:
    if suite.is_part and not suite.has_tests("browser", environment):
        return
    try:
        with INSTALLING:
            chromium = str(programs.install_browser())
    except ServiceError as error:
        suite.skip(TITLES["browser"], error)
        return
    suite.run("browser", {**environment, "CHROMIUM": chromium}, output)


def run_all(suite: Suite, environment: Mapping[str, str]) -> None:
    beside = (run_on_servers, run_in_browser)
    with contextlib.ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(len(beside)))
        outputs = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in beside]
        others = [
            threads.submit(run, suite, environment, output)
            for run, output in zip(beside, outputs, strict=True)
        ]
        try:
            suite.run("sqlite", environment, sys.stdout)
            for other in others:
                other.result()
        except BaseException:
            interrupt(suite)
            raise
        finally:
            for output in outputs:
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
    """The URLs of a PostgreSQL and a Redis: those in the environment, else throw-away ones.

    Each worker has a Redis of its own, for what is published in one is heard in all its databases.
    """
    urls = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
    with contextlib.ExitStack() as stack:
        if not all(urls.values()):
            with INSTALLING:
                programs.install("postgres", "redis")
            urls["DATABASE_URL"] = urls["DATABASE_URL"] or stack.enter_context(Postgres()).url
        if not urls["REDIS_URL"]:
            servers = [stack.enter_context(Redis()).url for _ in range(WORKERS["postgres"])]
            urls["REDIS_URL"] = servers[0]
            urls[pytest_plugin.REDIS_URLS] = ",".join(servers)
        yield urls


def install_helpers(suite: Suite) -> None:
    """What single tests need of the system."""
    for title, names in (
        ("The README's curl conversation", ["curl"]),
        ("Servers behind a proxy", ["nginx", "caddy"]),
        ("Servers in front of a PgBouncer", ["pgbouncer"]),
    ):
        try:
            programs.install(*names)
        except ServiceError as error:
            suite.skip(title, error)


def names_files(arguments: Sequence[str]) -> bool:
    """Whether tests are named by their files, and not only chosen by options."""
    before = ["", *arguments]
    return any(
        Path(argument.partition("::")[0]).exists()
        for option, argument in zip(before, arguments, strict=False)
        # What follows an option may be its value, and called like a folder: `-k groups`.
        if not option.startswith("-") or option in FLAGS
    )


def main() -> int:
    # Only the last -m counts for pytest, and the empty one is none.
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-m", dest="markexpr", default="")
    parser.add_argument("--tier", choices=("fast", "slow", "all"), default="fast")
    parser.add_argument("-c", dest="config")
    options, arguments = parser.parse_known_args()
    suite = Suite(arguments, options.markexpr, options.tier, is_part=names_files(arguments))
    if options.config:
        suite.arguments = ["-c", options.config, *arguments]
    started = time.monotonic()
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    # Whoever started us in the background may have had it ignored, for us and ours.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    keep_files_in_memory()
    install_helpers(suite)
    plain = {**os.environ}
    for name in ("DATABASE_URL", "REDIS_URL"):
        plain.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="chatbe-templates-") as templates:
        if not os.environ.get("DATABASE_URL"):
            # Not on a server that outlives the run.
            plain["TESTS_TEMPLATES"] = templates
        run_all(suite, plain)
    for problem in suite.problems:
        banner(problem)
    print(f"\n{suite.closing_line(time.monotonic() - started)}", flush=True)
    return 1 if suite.has_failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
