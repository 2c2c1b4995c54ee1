"""Commands of operators beside a running server: what sockets see, kills, two at a time."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.account import RefusedError
from tests.kit.servers import PROJECT
from tests.kit.site import TestSite

pytestmark = pytest.mark.both_databases


TEN_DAYS = 10 * 86_400_000 << 22
# Batches have 200 messages: three of them.
MANY = 600


def start(site: TestSite, *arguments: str, **settings: str) -> subprocess.Popen:
    """A command of the stage's installation, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env={**os.environ, **site.installation.environment, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(site: TestSite, *arguments: str) -> str:
    return site.installation.run("manage.py", *arguments)


def killed_again_and_again(site: TestSite, *arguments: str, together: int = 1) -> None:
    """Run a command, or several at once, each of which may die after each batch, until all
    have come through."""
    for _ in range(20):
        commands = [
            start(site, *arguments, FAILPOINTS="command.batch:0.5") for _ in range(together)
        ]
        errors = [command.communicate(timeout=60)[1] for command in commands]
        codes = {command.returncode for command in commands}
        if codes == {0}:
            return
        assert codes <= {0, -signal.SIGKILL}, errors
    raise AssertionError("it never came through")


def make_old(site: TestSite, conversation_id: str) -> None:
    """As if all messages so far had been written ten days earlier: ids are times."""
    site.change(
        "UPDATE conversations_message SET id = id - ? WHERE conversation_id = ?",
        TEN_DAYS,
        int(conversation_id),
    )


def write_many(site: TestSite, conversation_id: str, sender_id: str) -> None:
    """Messages of the first days there were, written behind the server's back."""
    first = random.randrange(10**11) * MANY
    digest = "'\\x00'::bytea" if site.installation.environment["DATABASE_URL"] else "x'00'"
    rows = ", ".join(
        f"({first + seq}, {conversation_id}, {seq}, {seq}, {seq}, {sender_id}, 'c{seq}', {digest},"
        f" 'text', 'said {seq}', '2025-01-02 00:00:00')"
        for seq in range(1, MANY + 1)
    )
    site.change(
        "INSERT INTO conversations_message (id, conversation_id, seq, changed_seq, number,"  # noqa: S608
        f" sender_id, client_id, digest, kind, text, created_at) VALUES {rows}"
    )
    site.change(
        "UPDATE conversations_conversation SET last_seq = ?, message_count = ? WHERE id = ?",
        *(MANY, MANY, int(conversation_id)),
    )


def texts(site: TestSite, conversation_id: str) -> set[str]:
    return {text for _, text in site.stored(conversation_id)}


async def test_a_live_socket_sees_what_retention_empties(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        await phone.send_text(conversation_id, "long ago")
        await tablet.message("long ago")
        make_old(site, conversation_id)
        await phone.send_text(conversation_id, "today")
        assert "would empty" in run(site, "apply_retention", "--direct-days", "9", "--dry-run")
        assert texts(site, conversation_id) == {"long ago", "today"}
        run(site, "apply_retention", "--direct-days", "9")
        tombstone = await tablet.message("")
        assert (tombstone["seq"], tombstone["changed_seq"]) == (1, 3)
        assert tombstone["deleted_at"] is not None
    assert site.stored(conversation_id) == [(1, ""), (2, "today")]


async def test_retentions_killed_half_way_and_two_at_a_time_empty_everything_once(site):
    alice, _, conversation_id = await site.talking()
    write_many(site, conversation_id, alice.user_id)
    killed_again_and_again(site, "apply_retention", "--direct-days", "300", together=2)
    assert texts(site, conversation_id) == {""}
    # No change of theirs was changed again.
    [[head]] = site.rows(
        "SELECT last_seq FROM conversations_conversation WHERE id = ?", int(conversation_id)
    )
    assert head == 2 * MANY
    assert "all is well" in run(site, "check_log", "--conversation", conversation_id)


async def test_somebody_erased_is_gone_for_others_at_once_also_after_a_kill(site, tmp_path):
    alice, bob, conversation_id = await site.talking()
    write_many(site, conversation_id, alice.user_id)
    report = tmp_path / "report.json"
    wanted = ("erase_user", alice.username, "--messages", "empty", "--report", str(report))
    async with alice.live() as phone, bob.live({conversation_id: MANY}) as tablet:
        killed_again_and_again(site, *wanted)
        assert await phone.closed() == 4503
        await tablet.expect("user.changed")
    assert texts(site, conversation_id) == {""}
    told = json.loads(report.read_text())
    assert (told["before"]["texts"], told["after"]["texts"]) == (MANY, 0)
    assert told["finished_at"] is not None
    [peer] = [row["peer"] for row in (await bob.rest("GET", "conversations"))["results"]]
    assert (peer["id"], peer["deleted"], peer["username"]) == (alice.user_id, True, "")
    assert "all is well" in run(site, "check_log", "--conversation", conversation_id)
    # Once more changes nothing.
    run(site, *wanted)
    assert json.loads(report.read_text())["before"] == told["before"]


async def test_disconnected_sockets_come_back_unless_their_sessions_are_ended(site):
    alice, bob = site.friends()
    carol, _ = site.friends()
    async with alice.live() as phone, bob.live() as tablet, carol.live() as other:
        run(site, "disconnect_user", alice.username)
        run(site, "disconnect_user", bob.user_id, "--sessions")
        assert (await phone.closed(), await tablet.closed()) == (4003, 4503)
        async with alice.live() as again:
            await again.settle()
        await other.settle()
    with pytest.raises(RefusedError, match="session_ended"):
        await bob.rest("POST", "auth/ticket")


async def test_an_announcement_reaches_live_sockets_and_stands_among_the_notices(site):
    alice, _ = site.friends()
    async with alice.live() as phone:
        text = f"Tonight we are away ({alice.username})."
        told = run(site, "broadcast_notice", text, "--username", alice.username)
        assert "Told 1 users" in told
        await phone.expect("user.changed")
    [notice] = (await alice.rest("GET", "me/notices"))["results"]
    assert (notice["kind"], notice["text"], notice["seen_at"]) == ("announcement", text, None)
    await alice.rest("PUT", f"me/notices/{notice['id']}/seen")


def test_keys_beside_the_data_are_read_again_with_what_was_added(site, tmp_path):
    own = {"SIGNING_KEYS": "", "DATA_DIR": str(tmp_path)}
    told = []
    for step in ("add", "promote"):
        command = start(site, "rotate_signing_keys", step, **own)
        output, errors = command.communicate(timeout=60)
        assert command.returncode == 0, errors
        told.append(output.split(" has ")[1].removesuffix(" (the first signs).\n").split(", "))
    assert told[0][0] == "local"
    assert told[1] == told[0][::-1]


def test_a_command_says_no_with_a_code_and_its_help_has_an_example(site):
    refused = start(site, "export_user", "nobody.at.all", "--output", "x.zip")
    output, errors = refused.communicate(timeout=60)
    assert (refused.returncode, output) == (1, "")
    assert "There is no user nobody.at.all." in errors
    help_asked = start(site, "erase_user", "--help")
    output, _ = help_asked.communicate(timeout=60)
    assert help_asked.returncode == 0
    assert "Example: manage.py erase_user alice" in output
    assert "backups" in output


def bytes_of(site: TestSite) -> bytes:
    """All that the files of the stage's database hold, in use or not."""
    folder = Path(site.installation.environment["DATA_DIR"])
    return b"".join(file.read_bytes() for file in folder.glob("chat.sqlite3*"))


@pytest.mark.embedded_only
async def test_what_was_erased_is_in_no_byte_of_the_file(site, tmp_path):
    alice, bob, conversation_id = await site.talking()
    secret = f"canary{random.randrange(10**12)}"
    # Short ones lie in the page of their row, long ones in pages of their own.
    for number, text in enumerate((secret, f"{secret} " * 300)):
        body = {"client_id": f"c{number}", "text": text}
        await alice.rest("POST", f"conversations/{conversation_id}/messages", body)
    said = {"conversation_id": conversation_id, "seq": 2, "reason": "spam"}
    await bob.rest("POST", "reports", said)
    assert secret.encode() in bytes_of(site)
    report = str(tmp_path / "report")
    run(site, "erase_user", alice.username, "--messages", "empty", "--report", report)
    assert secret.encode() not in bytes_of(site)
