"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psycopg
import redis

PACKAGES = ("Django", "channels", "channels-redis", "daphne", "uvicorn", "uvloop", "psycopg")
# What decides whether a committed message survives a power cut.
DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


def describe(database_url: str, redis_url: str) -> dict[str, object]:
    """The processor, the versions, and how safely the database writes."""
    with psycopg.connect(database_url) as connection:
        settings = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
        durability: dict[str, str] = dict(
            connection.execute(settings, [list(DURABILITY)]).fetchall()
        )
        postgres = connection.info.parameter_status("server_version")
    with redis.Redis.from_url(redis_url) as client:
        redis_version = client.info("server")["redis_version"]
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "PostgreSQL": {"version": postgres, **durability},
        "Redis": redis_version,
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
