"""The database and Redis."""

from typing import Any

from chatbe.settings.base import DATA_DIR
from chatbe.settings.chat import LOG_UNKNOWN_OUTCOME_SECONDS
from chatbe.settings.declare import env, section, setting
from common import data_dir
from common.postgres import PostgresConnection

section("The database and Redis")

# Not a setting of Django's: its debug page would show the password.
_url: str = setting(
    "DATABASE_URL",
    str,
    "",
    "`postgres://user:password@host:port/name`",
    "PostgreSQL; if empty, SQLite in `DATA_DIR`",
    production="with a password; **must** with more than one worker",
)
DATABASE_POOL_SIZE = setting(
    "DATABASE_POOL_SIZE",
    int,
    24,
    "connections per process",
    (
        "the most this process keeps to PostgreSQL. `DATABASE_THREADS`, `WRITER_THREADS` and "
        "five others (the quarantine worker, readiness, emails, two of the chatbot's) have one "
        "each; the rest, at least 4, are the slots for requests, also on SQLite: this many REST "
        "requests are worked on at once. All workers' together must fit into PostgreSQL's "
        "`max_connections`"
    ),
)
DATABASE_THREADS = setting(
    "DATABASE_THREADS",
    int,
    8,
    "threads per process",
    (
        "which read and write for sockets, at least 4: of half of them commands may wait for "
        "locks, of a quarter what the process writes for many at once; the rest only reads"
    ),
)
# PostgreSQL keeps both with our role: common/database_role.py.
DATABASE_LOCK_TIMEOUT_SECONDS = setting(
    "DATABASE_LOCK_TIMEOUT_SECONDS",
    float,
    5.0,
    "seconds",
    (
        "a statement that waits longer for a lock fails and is tried again; a batch of messages "
        "waits 1 second, then what is locked waits apart from the others. PostgreSQL keeps it "
        "with the role: see [deployment](deployment.md#postgresql)"
    ),
)
DATABASE_STATEMENT_TIMEOUT_SECONDS = setting(
    "DATABASE_STATEMENT_TIMEOUT_SECONDS",
    float,
    20.0,
    "seconds",
    (
        "the longest a statement may take; a server gives its connection up 5 seconds later if "
        "no answer has come, whatever holds it up. `0` is no limit. Not for `migrate`. Kept "
        "with the role, too"
    ),
)
SQLITE_MEMORY_BYTES = setting(
    "SQLITE_MEMORY_BYTES",
    int,
    64 * 1024 * 1024,
    "bytes",
    "what the page caches of all SQLite connections of the process hold together, about",
)
ALLOW_UNSAFE_DATABASE = setting(
    "ALLOW_UNSAFE_DATABASE",
    bool,
    False,
    "boolean",
    "start on a database that may lose what it has acknowledged",
)
REDIS_URL = setting(
    "REDIS_URL",
    str,
    "",
    "`redis://:password@host:port/0`",
    "notifications between processes, and limits; if empty, both in memory",
    production="with a password; **must** with more than one worker",
)

data_dir.prepare(DATA_DIR, database=None if _url else DATA_DIR / "chat.sqlite3")

DATABASES: dict[str, dict[str, Any]]
if _url:
    DATABASES = {"default": env.db_url("DATABASE_URL")}
    DATABASES["default"] |= {
        "CONN_MAX_AGE": 0,
        # A pool hands out connections that a database restart has cut, unless it looks.
        "CONN_HEALTH_CHECKS": True,
    }
    DATABASES["default"].setdefault("OPTIONS", {})
    DATABASES["default"]["OPTIONS"] |= {
        # Half of HELLO_SECONDS: a hello then still gets its `unavailable`.
        "pool": {
            "min_size": 2,
            "max_size": DATABASE_POOL_SIZE,
            "timeout": 5,
            # The pool's own five minutes are how long it may sleep after a long outage.
            "reconnect_timeout": 5,
            "connection_class": PostgresConnection,
        },
        "connect_timeout": 5,
        # A line that is dead: while we wait for an answer, and while what we sent is on its way.
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": int(LOG_UNKNOWN_OUTCOME_SECONDS * 1000),
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "common.sqlite",
            "NAME": DATA_DIR / "chat.sqlite3",
            # Each thread keeps its own: a file does not go away and come back.
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # Each thread has a connection with a cache of its own: what they hold together is
                # bounded for the whole process, and each uses its pages again beyond it.
                # Pages that many messages touch go back into the file once for all of them:
                # every 16 MB of log instead of every 4.
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32000;"
                    f" PRAGMA soft_heap_limit={SQLITE_MEMORY_BYTES};"
                    " PRAGMA wal_autocheckpoint=4000;"
                    # What is deleted is overwritten, where that writes no other page.
                    " PRAGMA secure_delete=FAST;"
                ),
            },
            # A file, because threads with an in-memory database lock each other's tables.
            "TEST": {"NAME": DATA_DIR / "test.sqlite3"},
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS: dict[str, dict[str, Any]]
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                "hosts": [
                    {
                        "address": REDIS_URL,
                        # redis-py would otherwise choose, and has changed its mind before.
                        "socket_timeout": 5,
                        "socket_connect_timeout": 2,
                        "max_connections": 16,
                        # With the newer one redis-py writes all it hears out for a log line.
                        "protocol": 2,
                    }
                ],
                "prefix": "chat",
            },
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
