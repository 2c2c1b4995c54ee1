"""What keeps a server from starting: everything that is wrong, said at once.

Unsafe settings are looked at in production mode only; what would lose messages or
cannot work at all is always looked at.
"""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Error, run_checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from chatbe.server.packages import package_problems
from chatbe.server.request_admission import (
    OTHERS_WITH_CONNECTIONS,
    REQUEST_PLACES_MIN,
    request_slots,
)
from chatbe.settings.accounts import HASH_MIN_KIB
from chatbe.settings.security import KEY_MIN_BYTES, SECRET_MIN
from common.database import THREADS_MIN
from common.hosts import normal_origin
from common.limits.token_bucket import rule_problems

CONTACT_POLICIES = ("mutual", "request")

_ORIGINS = ("CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS")
_DURABLE = ("on", "remote_apply", "remote_write", "local")


def startup_problems(*, workers: int = 1) -> list[str]:
    """All reasons not to start, in plain words; none is fine."""
    problems = [*package_problems(), *_shape_problems(workers)]
    if settings.PRODUCTION:
        problems += setting_problems()
        problems += [error.msg for error in run_checks() if isinstance(error, Error)]
    problems += _database_problems(workers)
    return problems


def setting_problems() -> list[str]:
    """Settings that are missing or unsafe for production."""
    return [*_secret_problems(), *_exposure_problems(), *_service_problems()]


def _shape_problems(workers: int) -> Iterator[str]:
    yield from _number_problems()
    if settings.CONTACT_POLICY not in CONTACT_POLICIES:
        yield f"CONTACT_POLICY must be one of {', '.join(CONTACT_POLICIES)}."
    if settings.ADMIN_PATH == "/":
        yield "ADMIN_PATH is empty: the page is there."
    if settings.ADMIN_SECOND_FACTOR not in {"required", "optional"}:
        yield "ADMIN_SECOND_FACTOR must be required or optional."
    yield from rule_problems()
    yield from _chatbot_problems()
    yield from _network_problems()
    if workers > 1 and connection.vendor == "sqlite":
        yield "Several workers need PostgreSQL: set DATABASE_URL."
    if workers > 1 and not settings.REDIS_URL:
        yield "Several workers need Redis to reach each other: set REDIS_URL."
    if connection.vendor == "postgresql" and request_slots() < REQUEST_PLACES_MIN:
        needed = settings.DATABASE_POOL_SIZE - request_slots() + REQUEST_PLACES_MIN
        yield (
            f"DATABASE_POOL_SIZE must be at least {needed}: each of DATABASE_THREADS and"
            f" WRITER_THREADS and {OTHERS_WITH_CONNECTIONS} others have a connection of their own,"
            " and requests need some too."
        )


def _network_problems() -> Iterator[str]:
    for name in ("METRICS_ADDRESSES", "TRUSTED_PROXIES"):
        for entry in getattr(settings, name):
            try:
                ip_network(entry.strip(), strict=False)
            except ValueError:
                yield f"{name}: {entry} is neither an address nor a network."
    for name in _ORIGINS:
        for origin in getattr(settings, name):
            if "*" not in origin and normal_origin(origin) != origin:
                yield f"{name}: {origin} is no origin: scheme://host, with a port where it needs one."


def _number_problems() -> Iterator[str]:
    if settings.WRITER_THREADS < 1 or settings.LOG_TOPICS < settings.WRITER_THREADS:
        yield "WRITER_THREADS must be at least 1, and LOG_TOPICS at least WRITER_THREADS."
    if settings.DATABASE_THREADS < THREADS_MIN:
        yield (
            f"DATABASE_THREADS must be at least {THREADS_MIN}: some of them are never at anything"
            " that waits for locks."
        )
    if settings.PRESENCE_LEASE_SECONDS < 1:
        yield "PRESENCE_LEASE_SECONDS must be at least 1."


def _chatbot_problems() -> Iterator[str]:
    if not settings.CHATBOT_BASE_URL:
        return
    if urlsplit(settings.CHATBOT_BASE_URL).scheme not in {"http", "https"}:
        yield "CHATBOT_BASE_URL is no http or https address."
    if not settings.CHATBOT_MODEL:
        yield "CHATBOT_MODEL is not set, and CHATBOT_BASE_URL needs one."


def _secret_problems() -> Iterator[str]:
    secret = settings.SECRET_KEY
    if secret == settings.NO_SECRET:
        yield "SECRET_KEY is not set."
    elif len(secret) < SECRET_MIN or len(set(secret)) < 10 or secret.startswith("django-insecure"):
        yield f"SECRET_KEY is too weak: at least {SECRET_MIN} random characters."
    if not settings.SIGNING_KEYS:
        yield "SIGNING_KEYS is not set: kid:secret, separated by commas; the first one signs."
    for entry in settings.SIGNING_KEYS:
        kid, colon, key = entry.partition(":")
        if not colon:
            # All of it may be the secret: not repeated here.
            kid = ""
        if not kid or len(key.encode()) < KEY_MIN_BYTES or len(set(key)) < 10:
            yield f"SIGNING_KEYS: {kid or 'an entry'} needs a secret of {KEY_MIN_BYTES} bytes or more."
        if key and key == secret:
            yield "SIGNING_KEYS must not repeat SECRET_KEY."
    if len(settings.CONTENT_HASH_KEY) < KEY_MIN_BYTES:
        yield f"CONTENT_HASH_KEY is not set or shorter than {KEY_MIN_BYTES} characters."


def _exposure_problems() -> Iterator[str]:
    if settings.DEBUG:
        yield "DEBUG is on."
    if not settings.ALLOWED_HOSTS:
        yield "ALLOWED_HOSTS is not set."
    if any(host == "*" or host.startswith("*") for host in settings.ALLOWED_HOSTS):
        yield "ALLOWED_HOSTS holds a wildcard: name the hosts."
    yield from _origin_problems()
    if settings.PASSWORD_HASH_KIB < HASH_MIN_KIB:
        yield f"PASSWORD_HASH_KIB is below {HASH_MIN_KIB}: stolen hashes would be cheap to guess."
    if settings.PUBLIC_URL and not settings.PUBLIC_URL.startswith("https://"):
        yield "PUBLIC_URL is not https: mails would send secrets there."
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < KEY_MIN_BYTES:
        yield f"METRICS_TOKEN is shorter than {KEY_MIN_BYTES} characters."
    if settings.FAILPOINTS:
        yield "FAILPOINTS is for tests of faults: unset it."


def _origin_problems() -> Iterator[str]:
    for name in _ORIGINS:
        for origin in getattr(settings, name):
            if "*" in origin:
                yield f"{name} holds a wildcard: name the origins."
            elif origin.startswith("http://"):
                yield f"{name}: {origin} is not https."


def _service_problems() -> Iterator[str]:
    if connection.vendor == "postgresql" and not settings.DATABASES["default"].get("PASSWORD"):
        yield "DATABASE_URL has no password."
    if settings.REDIS_URL:
        address = urlsplit(settings.REDIS_URL)
        if not address.password and address.scheme != "unix":
            yield "REDIS_URL has no password."
    if settings.CHATBOT_API_KEY and not settings.CHATBOT_BASE_URL.startswith("https://"):
        yield "CHATBOT_BASE_URL is not https: CHATBOT_API_KEY would be readable on its way."
    if settings.EMAIL_CONFIRMATION and not settings.EMAIL_URL:
        yield "EMAIL_URL is not set, and EMAIL_CONFIRMATION needs mails."


def _database_problems(workers: int) -> Iterator[str]:
    try:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                yield from _postgres_problems(cursor, workers)
            else:
                yield from _sqlite_problems(cursor)
        if MigrationExecutor(connection).migration_plan(
            MigrationExecutor(connection).loader.graph.leaf_nodes()
        ):
            yield "The database is not up to date: run `manage.py migrate`."
    except DatabaseError as error:
        yield f"The database cannot be reached ({type(error).__name__}).{_about_file(error)}"
    finally:
        connection.close()


def _about_file(error: DatabaseError) -> str:
    """What SQLite says of its file; it holds no secret, unlike what PostgreSQL says."""
    if connection.vendor != "sqlite":
        return ""
    return f" {settings.DATABASES['default']['NAME']}: {error}."


def _postgres_problems(cursor: Any, workers: int) -> Iterator[str]:
    yield from _connection_problems(cursor, workers)
    cursor.execute("SHOW transaction_isolation")
    if cursor.fetchone()[0] != "read committed":
        yield "default_transaction_isolation must be read committed: the append relies on it."
    if settings.ALLOW_UNSAFE_DATABASE:
        return
    cursor.execute("SHOW synchronous_commit")
    if cursor.fetchone()[0] not in _DURABLE:
        yield "synchronous_commit is off: an acknowledged message could be lost."
    cursor.execute("SHOW fsync")
    if cursor.fetchone()[0] != "on":
        yield "fsync is off: an acknowledged message could be lost."


def _connection_problems(cursor: Any, workers: int) -> Iterator[str]:
    cursor.execute(
        "SELECT sum(setting::int * CASE name WHEN 'max_connections' THEN 1 ELSE -1 END)"
        " FROM pg_settings"
        " WHERE name IN ('max_connections', 'superuser_reserved_connections',"
        " 'reserved_connections')"
    )
    most = cursor.fetchone()[0]
    # One more of each server stands for election (chatbot/worker/election.py).
    needed = workers * (settings.DATABASE_POOL_SIZE + bool(settings.CHATBOT_WORKER_IN_SERVER))
    if needed > most:
        yield (
            f"PostgreSQL lets us have {most} connections, and {workers} worker(s) with"
            f" DATABASE_POOL_SIZE may open {needed}: raise its max_connections or lower ours."
        )


def _sqlite_problems(cursor: Any) -> Iterator[str]:
    cursor.execute("PRAGMA synchronous")
    if cursor.fetchone()[0] < 2 and not settings.ALLOW_UNSAFE_DATABASE:
        yield "PRAGMA synchronous is below FULL: an acknowledged message could be lost."
