"""Faults of PostgreSQL and Redis. Each function returns once the service has recovered."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import psycopg
import redis

from tests.chaos.schedule import Fault
from tools.server import Server
from tools.services import Postgres, Redis, ServiceError

RESTARTS = 3
# The longest freeze, so that nobody takes the service for dead.
STALL_SECONDS = 2.0


async def strike_redis(broker: Redis, fault: Fault) -> None:
    if fault.kind == "redis killed":
        await asyncio.to_thread(broker.kill)
        await _come_back(broker, fault.pause)
    elif fault.kind == "redis stalled":
        await _stall(broker, fault.pause)
    elif fault.kind == "redis flushed":
        await asyncio.to_thread(_command, broker, lambda client: client.flushall())
    else:
        await asyncio.to_thread(
            _command, broker, lambda client: client.client_kill_filter(_type="pubsub")
        )


async def strike_postgres(postgres: Postgres, fault: Fault) -> None:
    if fault.kind == "postgres restarted fast":
        await asyncio.to_thread(postgres.stop)
        await _come_back(postgres, fault.pause)
    elif fault.kind == "postgres restarted immediately":
        # What `pg_ctl stop -m immediate` does: no checkpoint, recovery at the next start.
        os.kill(postgres.pid, signal.SIGQUIT)
        while postgres.is_running:
            await asyncio.sleep(0.02)
        await _come_back(postgres, fault.pause)
    elif fault.kind == "postgres stalled":
        await _stall(postgres, fault.pause)
    elif fault.kind == "postgres connections terminated":
        await asyncio.to_thread(_terminate_connections, postgres)
    else:
        # Sometimes for longer than a server waits for a lock.
        await _hold_locks(postgres, 2 * fault.pause)


async def _come_back(service: Server, pause: float) -> None:
    await asyncio.sleep(pause)
    for attempt in range(1, RESTARTS + 1):
        try:
            await asyncio.to_thread(service.restart)
        except ServiceError:
            if attempt == RESTARTS:
                raise
        else:
            return


async def _stall(service: Server, pause: float) -> None:
    await asyncio.to_thread(service.pause)
    try:
        await asyncio.sleep(min(pause, STALL_SECONDS))
    finally:
        await asyncio.to_thread(service.resume)


def _command(broker: Redis, command: Callable[[redis.Redis], object]) -> None:
    with redis.Redis(port=broker.port, socket_timeout=5) as client:
        command(client)


def _terminate_connections(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def _hold_locks(postgres: Postgres, seconds: float) -> None:
    """Lock every conversation's row, like a backend that hangs inside its transaction."""
    wait_for_locks = "-c idle_in_transaction_session_timeout=0"
    async with await psycopg.AsyncConnection.connect(
        postgres.url, options=wait_for_locks
    ) as connection:
        await connection.execute("SELECT id FROM conversations_conversation ORDER BY id FOR UPDATE")
        await asyncio.sleep(seconds)
