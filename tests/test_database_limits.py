"""Time limits of statements: the role's, so that they hold through PgBouncer, and none for migrate."""

from __future__ import annotations

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from common.database_role import set_role_limits, without_statement_timeout
from tests.kit.account import Account, call
from tests.kit.pgbouncer import PgBouncer
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import Installation, fresh_database, running_redis
from tests.kit.site import open_socket
from tools import programs

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def shown(url, name):
    with psycopg.connect(url) as link:
        return link.execute(f"SHOW {name}").fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_the_role_is_given_its_limits_when_they_differ(settings, caplog):
    settings.DATABASE_STATEMENT_TIMEOUT_SECONDS = 7.0
    try:
        set_role_limits()
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone()[0] == "7s"
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            assert cursor.fetchone()[0] == "15s"
        caplog.clear()
        set_role_limits()
        assert "database_role_limited" not in caplog.text
    finally:
        settings.DATABASE_STATEMENT_TIMEOUT_SECONDS = 20.0
        set_role_limits()


@pytest.mark.django_db(transaction=True)
def test_a_migration_takes_longer_than_any_other_statement_and_no_session_remembers_it():
    def sleep():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.3)")

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 100")
        with pytest.raises(OperationalError):
            cursor.execute("SELECT pg_sleep(0.3)")
    with without_statement_timeout():
        sleep()
        sleep()
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "100ms"
        cursor.execute("RESET statement_timeout")


async def test_people_chat_through_a_pgbouncer_that_gives_each_transaction_another_session():
    programs.install("pgbouncer")
    with (
        fresh_database() as database_url,
        running_redis() as redis_url,
        PgBouncer(database_url) as pgbouncer,
    ):
        installation = Installation(pgbouncer.url, redis_url, DATABASE_LOCK_TIMEOUT_SECONDS="4")
        installation.migrate()
        assert shown(database_url, "lock_timeout") == "4s"
        pgbouncer.reconnect()
        assert shown(pgbouncer.url, "statement_timeout") == "20s"
        alice, bob = installation.make_users(2, iter([(0, 1)]))
        with installation.server() as server:
            phone = Account(alice.username, PASSWORD)
            await phone.log_in(server.address)
            told = await call(
                server.address,
                "POST",
                "auth/login",
                body={"login": bob.username, "password": PASSWORD},
            )
            opened = await phone.call(
                server.address, "POST", "conversations/direct", {"user_id": bob.user_id}
            )
            async with open_socket(server.address) as socket:
                await socket.send("hello", token=told["access_token"])
                await socket.send("sync", cursors={}, done=True)
                await socket.expect("live")
                path = f"conversations/{opened['id']}/messages"
                for number in range(20):
                    body = {"client_id": f"c{number}", "text": f"text {number}"}
                    await phone.call(server.address, "POST", path, body)
                    assert (await socket.message(f"text {number}"))["seq"] == number + 1
