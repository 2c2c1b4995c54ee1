"""docs/backup.md: dump, restore, bump_epoch, on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
from urllib.parse import urlsplit

import pytest

from tests.kit.servers import fresh_database
from tests.kit.site import TestSite
from tools import programs
from tools.services import Redis

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def tool(name, url, *arguments):
    """Run a program of PostgreSQL on that database, the password not among its arguments."""
    parts = urlsplit(url)
    place = parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl()
    subprocess.run(
        [programs.locate("postgres").resolve().with_name(name), f"--dbname={place}", *arguments],
        check=True,
        env={**os.environ, "PGPASSWORD": parts.password},
        capture_output=True,
        timeout=60,
    )


async def test_after_a_restore_clients_forget_the_lost_future(tmp_path):
    dump = str(tmp_path / "chat.dump")
    with fresh_database() as url, Redis() as redis:
        site = TestSite("serve", url, redis.url)
        with site.server:
            alice, _, conversation_id = await site.talking()
            async with alice.live() as phone:
                await phone.send_text(conversation_id, "kept", client_id="1")
                tool("pg_dump", url, "--format=custom", f"--file={dump}")
                await phone.send_text(conversation_id, "lost", client_id="2")
                [epoch] = [frame["epoch"] for frame in phone.seen if frame["type"] == "welcome"]
            site.server.stop()
            tool("pg_restore", url, "--clean", "--if-exists", "--no-owner", dump)
            site.installation.run("manage.py", "bump_epoch")
            site.server.start()
            async with alice.greeted(epoch=epoch) as phone:
                # Nothing but the epoch tells that this position is another one now.
                await phone.send("sync", cursors={conversation_id: 1}, done=True)
                assert "conversation_id" not in await phone.expect("reset")
            async with alice.live() as phone:
                answer = await phone.send_text(conversation_id, "new", client_id="3")
                assert answer["message"]["seq"] == 2
        assert site.stored(conversation_id) == [(1, "kept"), (2, "new")]
