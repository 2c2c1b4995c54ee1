"""Finds the programs that tests and benchmarks need beside Python, and installs what is missing.

Only Debian and Ubuntu, and only as root, are installed on; anywhere else the error says what to
do. An installation leaves no server running and no database cluster behind.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


class ServiceError(RuntimeError):
    """A program is missing, or a server did not do what was asked. The text says what to do."""


@dataclass(frozen=True)
class Program:
    """`variable` names it in the environment; `packages` by distribution id, none: not there."""

    title: str
    variable: str
    find: Callable[[], Path | None]
    packages: dict[str, str]


def _on_path(*names: str) -> Path | None:
    return next((Path(hit) for name in names if (hit := shutil.which(name))), None)


def _find_postgres() -> Path | None:
    """The server itself; `initdb` and `createdb` stand beside it."""
    on_path = _on_path("postgres")
    candidates = [on_path.resolve()] if on_path else []
    for pattern in (
        "usr/lib/postgresql/*/bin/postgres",
        "usr/pgsql-*/bin/postgres",
        "opt/homebrew/opt/postgresql@*/bin/postgres",
        "usr/local/opt/postgresql@*/bin/postgres",
    ):
        candidates += sorted(Path("/").glob(pattern), key=_version, reverse=True)
    return next((found for found in candidates if _is_complete(found)), None)


def _is_complete(postgres: Path) -> bool:
    return all(
        os.access(postgres.with_name(name), os.X_OK) for name in ("postgres", "initdb", "createdb")
    )


def _version(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", str(path))]


def _find_redis() -> Path | None:
    return _on_path("redis-server", "valkey-server")


def _in_usr_lib(pattern: str) -> Path | None:
    return next(Path("/usr/lib").glob(pattern), None)


def _find_chromium() -> Path | None:
    on_macos = Path("/Applications/Chromium.app/Contents/MacOS/Chromium")
    return _on_path("chromium", "chromium-browser", "google-chrome-stable", "google-chrome") or (
        on_macos if on_macos.exists() else None
    )


PROGRAMS = {
    "curl": Program("curl", "CURL", lambda: _on_path("curl"), {"debian": "curl", "ubuntu": "curl"}),
    "postgres": Program(
        "PostgreSQL",
        "POSTGRES_SERVER",
        _find_postgres,
        {"debian": "postgresql", "ubuntu": "postgresql"},
    ),
    "redis": Program(
        "Redis",
        "REDIS_SERVER",
        _find_redis,
        {"debian": "redis-server", "ubuntu": "redis-server"},
    ),
    # Ubuntu's package of this name only fetches a snap, which a container cannot run.
    "chromium": Program("Chromium", "CHROMIUM", _find_chromium, {"debian": "chromium"}),
    # Two kinds of proxies; the tests about them are left out where there is none.
    "nginx": Program(
        "nginx", "NGINX", lambda: _on_path("nginx"), {"debian": "nginx", "ubuntu": "nginx"}
    ),
    "caddy": Program(
        "Caddy", "CADDY", lambda: _on_path("caddy"), {"debian": "caddy", "ubuntu": "caddy"}
    ),
    "pgbouncer": Program(
        "PgBouncer",
        "PGBOUNCER",
        lambda: _on_path("pgbouncer", "/usr/sbin/pgbouncer"),
        {"debian": "pgbouncer", "ubuntu": "pgbouncer"},
    ),
    # For what benchmarks compare with.
    "cc": Program(
        "A C compiler",
        "C_COMPILER",
        lambda: _on_path("cc", "gcc", "clang"),
        {"debian": "build-essential", "ubuntu": "build-essential"},
    ),
    "libatomic": Program(
        "libatomic",
        "LIBATOMIC",
        lambda: _in_usr_lib("*/libatomic.so.1"),
        {"debian": "libatomic1", "ubuntu": "libatomic1"},
    ),
}

# Other chat servers, which only `make bench-peers` compares with, and how they reach PostgreSQL.
PEERS = {
    # Its Erlang application: it is started without its script, which would leave a name server
    # of Erlang's running.
    "ejabberd": Program(
        "ejabberd",
        "EJABBERD",
        lambda: _in_usr_lib("*/ejabberd-*/"),
        {"debian": "ejabberd", "ubuntu": "ejabberd"},
    ),
    "p1_pgsql": Program(
        "p1_pgsql",
        "P1_PGSQL",
        lambda: _in_usr_lib("erlang/lib/p1_pgsql-*/"),
        {"debian": "erlang-p1-pgsql", "ubuntu": "erlang-p1-pgsql"},
    ),
    "prosody": Program(
        "prosody",
        "PROSODY",
        lambda: _on_path("prosody"),
        {"debian": "prosody", "ubuntu": "prosody"},
    ),
    "luadbi": Program(
        "LuaDBI",
        "LUADBI",
        lambda: _in_usr_lib("*/lua/5.*/dbd/postgresql.so"),
        {"debian": "lua-dbi-postgresql", "ubuntu": "lua-dbi-postgresql"},
    ),
}

KNOWN = {**PROGRAMS, **PEERS}


def find(name: str) -> Path | None:
    """Where the program is, or None. A path in the environment (CHROMIUM=…) comes first."""
    program = KNOWN[name]
    named = os.environ.get(program.variable)
    if not named:
        return program.find()
    if not os.access(named, os.X_OK):
        message = f"{program.variable}={named} is no program that can be run."
        raise ServiceError(message)
    return Path(named)


def locate(name: str) -> Path:
    """Where the program is, without installing anything; an error if it is nowhere."""
    found = find(name)
    if found is None:
        raise ServiceError(_advice([name]))
    return found


def install(*names: str) -> dict[str, Path]:
    """Where the programs are, after installing those that are missing in one go."""
    missing = [name for name in names if find(name) is None]
    if missing:
        packages = _packages(missing)
        if not packages or os.geteuid() != 0:
            raise ServiceError(_advice(missing))
        _apt_get_install(packages)
    return {name: locate(name) for name in names}


def install_browser() -> Path:
    """Chromium, as `install` would; with it the one library Playwright's driver may lack.

    Elsewhere than on Debian and Ubuntu that library lies in other places, and is usually there.
    """
    needs = ["chromium"]
    if _distribution() in PROGRAMS["libatomic"].packages:
        needs.append("libatomic")
    return install(*needs)["chromium"]


def _packages(names: Sequence[str]) -> list[str]:
    """The packages to install, or nothing if this system does not have them all."""
    distribution = _distribution()
    found = [KNOWN[name].packages.get(distribution) for name in names]
    return [package for package in found if package] if all(found) else []


def _distribution() -> str:
    with contextlib.suppress(OSError):
        if shutil.which("apt-get"):
            return platform.freedesktop_os_release().get("ID", "")
    return ""


def _advice(names: Sequence[str]) -> str:
    titles = " and ".join(KNOWN[name].title for name in names)
    packages = _packages(names)
    how = (
        f"Install with: sudo apt-get install {' '.join(packages)}"
        if packages
        else "Install with this system's package manager"
    )
    variables = " and ".join(f"{KNOWN[name].variable}=<path>" for name in names)
    return f"{titles} not found. {how}, or point at the program with {variables}."


def _apt_get_install(packages: Sequence[str]) -> None:
    print(f"Installing {', '.join(packages)} with apt-get …", file=sys.stderr, flush=True)
    with _no_server_started(packages):
        # A list that cannot be refreshed may still be good enough: the next command tells.
        _apt_get("update")
        installed = _apt_get("install", "-y", "--no-install-recommends", *packages)
    if installed.returncode != 0:
        tail = "\n".join(installed.stdout.splitlines()[-15:])
        message = f"apt-get could not install {', '.join(packages)}:\n{tail}"
        raise ServiceError(message)


def _apt_get(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        # Another apt-get may be at work: wait for it rather than fail.
        ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
    )


POLICY = Path("/usr/sbin/policy-rc.d")
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/chatbe-tests.conf")
MARK = "# temporary: while chatbe installs test servers"


@contextlib.contextmanager
def _no_server_started(packages: Sequence[str]) -> Iterator[None]:
    """Keep Debian from starting what it installs and from creating its default cluster.

    Both through the files Debian documents for it, put back as they were. A policy the
    administrator has set stays in force.
    """
    ours = []
    # One with our mark is left from a run that was killed in the middle: take it along.
    if not POLICY.exists() or MARK in POLICY.read_text(errors="replace"):
        POLICY.write_text(f"#!/bin/sh\n{MARK}\nexit 101\n")
        POLICY.chmod(0o755)
        ours.append(POLICY)
    if "postgresql" in packages:
        NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
        NO_CLUSTER.write_text(f"{MARK}\ncreate_main_cluster = false\n")
        ours.append(NO_CLUSTER)
    try:
        yield
    finally:
        for path in ours:
            path.unlink(missing_ok=True)
