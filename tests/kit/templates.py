"""Databases of installations: migrated once in a run of tests, and copied from then on."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

# The folder that all workers of a run share (tools/run_tests.py), which also says that the
# PostgreSQL server ends with the run. A process that runs alone has a folder of its own.
FOLDER = "TESTS_TEMPLATES"
FILE = "chat.sqlite3"
DATABASE = "chatbe_template"

# Migrates what the environment names.
Migrate = Callable[[Mapping[str, str]], None]


@lru_cache(maxsize=1)
def _folder() -> Path:
    given = os.environ.get(FOLDER)
    if given:
        return Path(given)
    own = tempfile.mkdtemp(prefix="chatbe-templates-")
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return Path(own)


def provide_file(data_dir: Path, migrate: Migrate) -> None:
    """A migrated SQLite database in this folder."""
    template = _folder() / "sqlite"
    with _made_once(template):
        if not template.exists():
            new = template.with_suffix(".new")
            migrate({"DATA_DIR": str(new)})
            new.rename(template)
    shutil.copy2(template / FILE, data_dir / FILE)


def provide_database(url: str, migrate: Migrate) -> None:
    """A migrated PostgreSQL database in place of this empty one."""
    server = os.environ.get("DATABASE_URL", "")
    if FOLDER not in os.environ or urlsplit(url).netloc != urlsplit(server).netloc:
        migrate({})
        return
    done = _folder() / "postgres"
    with psycopg.connect(server, autocommit=True) as connection:
        with _made_once(done):
            if not done.exists():
                connection.execute(f'CREATE DATABASE "{DATABASE}"'.encode())
                migrate({"DATABASE_URL": urlunsplit(urlsplit(url)._replace(path=f"/{DATABASE}"))})
                done.touch()
        name = urlsplit(url).path.removeprefix("/")
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{DATABASE}"'.encode())


@contextlib.contextmanager
def _made_once(template: Path) -> Iterator[None]:
    """Only one process at a time makes this template, or waits for it."""
    with template.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
