"""What the test process does in the background is over when a test is."""

import asyncio
import re
import threading
import time

import pytest
from django.core.management import call_command
from django.core.management.color import no_style
from django.core.management.sql import sql_flush
from django.db import connection

from accounts.mail import queue
from accounts.models import User
from accounts.tests.rest import make_user
from common import background
from realtime.node import current_node
from tests.kit.settled import settle

LATER_SECONDS = 0.2


def test_mails_and_tasks_and_what_they_lead_to_are_waited_for():
    done = []

    async def announced():
        await asyncio.sleep(LATER_SECONDS)
        done.append("task")
        queue._open().take(mailed)

    def mailed():
        time.sleep(LATER_SECONDS)
        done.append("mail")

    current_node().loop.call_soon_threadsafe(lambda: background.spawn("test", announced()))
    settle()
    assert done == ["task", "mail"]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_the_tables_are_emptied_though_that_had_to_give_way():
    user = make_user()
    [truncate, *_] = sql_flush(no_style(), connection)
    first, *_, last = re.findall(r'"(\w+)"', truncate)
    locked, ended = threading.Event(), threading.Event()

    def in_the_way():
        with connection.cursor() as cursor:
            # Emptying waits for the table that this has, and this for one of its.
            cursor.execute("BEGIN")
            # For this transaction alone: the connection goes back to the pool.
            cursor.execute("SET LOCAL deadlock_timeout = '10min'")
            cursor.execute("SET LOCAL lock_timeout = '10min'")
            cursor.execute(f"LOCK TABLE {last}")
            locked.set()
            time.sleep(LATER_SECONDS)
            cursor.execute(f"LOCK TABLE {first}")
            cursor.execute("COMMIT")
        connection.close()
        ended.set()

    threading.Thread(target=in_the_way).start()
    assert locked.wait(20)
    call_command("flush", interactive=False, verbosity=0)
    assert not User.objects.filter(id=user.id).exists()
    assert ended.wait(60)
