"""Whichever table a running server loses: nobody may more than before, and nothing is half done.

Every route and command about a conversation is called while one table after another is away.
What does not need it works on; all else is refused, and changes nothing.
"""

import contextlib

import pytest
from django.apps import apps
from websockets.exceptions import ConnectionClosed

from tests.kit.account import UnreachableError
from tests.kit.servers import fresh_database, running_redis
from tests.kit.site import TestSite, open_socket
from tests.test_matrix import DEEDS, make_world

APPS = ("accounts", "chatbot", "contacts", "conversations", "core", "groups", "moderation")
TABLES = sorted(
    model._meta.db_table
    for model in apps.get_models(include_auto_created=True)
    if model._meta.app_label in APPS
)
FAILED = {"internal", "unavailable", "closed"}
NO_HELLO_WITHOUT = {"accounts_session", "accounts_user"}
# What a statement that fails leaves of a transaction, PostgreSQL is strictest about.
pytestmark = [pytest.mark.postgres, pytest.mark.slow]
WATCHED = ("conversations_conversation", "conversations_membership", "conversations_message")


@pytest.fixture(scope="module")
def spoilt():
    """A server whose database may be spoilt, and which does not try again for long."""
    with contextlib.ExitStack() as stack:
        urls = stack.enter_context(fresh_database()), stack.enter_context(running_redis())
        site = TestSite("serve", *urls, LOG_UNKNOWN_OUTCOME_SECONDS="0.1", RECEIPT_SECONDS="0.05")
        stack.callback(site.server.close)
        yield site


@contextlib.contextmanager
def lost(site, table):
    site.change(f"ALTER TABLE {table} RENAME TO lost")
    try:
        yield
    finally:
        site.change(f"ALTER TABLE lost RENAME TO {table}")


def stored(site, missing):
    """The log, its counters and its readers."""
    tables = ["lost" if table == missing else table for table in WATCHED]
    rows = [f"(SELECT jsonb_agg(t ORDER BY id) FROM {table} t)" for table in tables]  # noqa: S608
    return site.rows(f"SELECT {', '.join(rows)}")


async def try_all(world, name, socket):
    """Do everything about the group, and say of each how it went: its code, or "closed"."""
    place = world.conversation_id
    for action in DEEDS:
        for door in action.rest:
            try:
                yield action, door, (await world.call(name, action, *door, place))[0]
            except UnreachableError:
                yield action, door, "unavailable"
        for kind in action.sockets:
            try:
                yield action, kind, (await world.say(socket, name, action, kind, place))[0]
            except ConnectionClosed:
                yield action, kind, "closed"


async def is_welcome(site, token):
    async with open_socket(site.address) as socket:
        await socket.send("hello", token=token)
        with contextlib.suppress(ConnectionClosed):
            while (await socket.expect())["type"] != "welcome":
                pass
            return True
    return False


async def test_without_a_table_nobody_may_more_and_nothing_is_half_done(spoilt):
    world = await make_world(spoilt)
    gone = world.people["other"]
    await gone.rest("POST", "auth/logout")
    needed = set()
    for table in TABLES:
        async with (
            world.people["owner"].live() as owner,
            world.people["removed"].live() as removed,
        ):
            with lost(spoilt, table):
                assert not await is_welcome(spoilt, gone.token), table
                if table in NO_HELLO_WITHOUT:
                    assert not await is_welcome(spoilt, world.people["owner"].token), table
                before = stored(spoilt, table)
                for name, socket in (("owner", owner), ("removed", removed)):
                    async for action, door, code in try_all(world, name, socket):
                        place = (table, name, action.verb, door, code)
                        after = stored(spoilt, table)
                        if code in FAILED:
                            needed.add((action.verb, table))
                        else:
                            granted = name == "owner" and action.granted
                            refusal = "not_found" if name == "removed" else "forbidden"
                            assert code == ("ok" if granted else refusal), place
                        assert code == "ok" or after == before, place
                        before = after
    # Typing is told by who is known to be here; all else looks into the database.
    looked_up = {verb for verb, table in needed if table == "conversations_membership"}
    assert looked_up == {action.verb for action in DEEDS} - {"typing"}
