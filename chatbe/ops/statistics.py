"""Figures of an installation, for its operators."""

from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Q
from redis import Redis, RedisError

from accounts.models import User
from accounts.selectors import live_sessions
from conversations.models import Conversation, Message

_REDIS_SECONDS = 2


def statistics(*, exact: bool = False) -> dict[str, Any]:
    """Users, sessions, conversations, messages, and what they take.

    Messages are as many as PostgreSQL believes, unless they are counted.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Counting a large table takes as long as it takes.
                cursor.execute("SET LOCAL statement_timeout = 0")
        return {
            "users": _users(),
            "sessions": live_sessions().count(),
            "conversations": _conversations(),
            "messages": Message.objects.count() if exact else _estimate(Message),
            "messages_counted": exact or connection.vendor != "postgresql",
            "database": connection.vendor,
            "database_bytes": _database_bytes(),
            "redis": _redis(),
        }


def _users() -> dict[str, int]:
    return User.objects.aggregate(
        total=Count("id"),
        here=Count("id", filter=Q(is_active=True)),
        shut_out=Count("id", filter=Q(is_active=False, deleted_at=None)),
        deleted=Count("id", filter=Q(deleted_at__isnull=False)),
        bots=Count("id", filter=Q(is_bot=True)),
    )


def _conversations() -> dict[str, int]:
    counted = Conversation.objects.values_list("kind").annotate(Count("id"))
    return dict.fromkeys(Conversation.Kind.values, 0) | dict(counted)


def _estimate(model: type[Message]) -> int:
    """About how many rows there are, without reading them; exactly on SQLite."""
    if connection.vendor != "postgresql":
        return model.objects.count()
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
        # -1 before the table was first looked at.
        return max(0, int(cursor.fetchone()[0]))


def _database_bytes() -> int:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
        cursor.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return int(cursor.fetchone()[0])


def _redis() -> dict[str, Any]:
    if not settings.REDIS_URL:
        return {"state": "not used"}
    redis = Redis.from_url(
        settings.REDIS_URL, socket_timeout=_REDIS_SECONDS, socket_connect_timeout=_REDIS_SECONDS
    )
    try:
        with redis:
            told: Any = redis.info()
    except RedisError:
        return {"state": "down"}
    return {
        "state": "up",
        "bytes": int(told["used_memory"]),
        "clients": int(told["connected_clients"]),
    }
