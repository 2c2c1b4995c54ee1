"""The layouts of the workloads about size, and what their clients count."""

import asyncio
from typing import Any

import pytest

from benchmarks.calls import Caller
from benchmarks.job import Seat
from benchmarks.workloads import day, lists, presence, storm

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}'


def test_those_cut_off_are_in_groups_and_none_of_them_among_those_who_chat():
    users, conversations = storm.layout({"sockets": 50, "group": 20, "pairs": 3})
    pairs, groups = conversations[:3], conversations[3:]
    assert [index for pair in pairs for index in pair] == list(range(6))
    assert [index for group in groups for index in group] == list(range(6, users))
    assert list(map(len, groups)) == [20, 20, 10]


def test_somebody_with_few_conversations_has_one_page_of_them_half_of_them_groups():
    users, conversations = lists.layout({"conversations": 1_000})
    many = [members for members in conversations if 0 in members]
    few = [members for members in conversations if users - 1 in members]
    assert (len(many), len(few)) == (1_000, lists.PAGE)
    assert sum(len(members) == 2 for members in few) == lists.PAGE // 2


def test_each_guest_has_its_contacts_among_the_watchers_and_no_contact_twice():
    options = {"pairs": 2, "watchers": 7, "contacts": 5, "users": 10}
    users, conversations = presence.layout(options)
    known = [tuple(members) for members in conversations[2:]]
    assert len(known) == len(set(known)) == 10 * 5
    assert {guest for guest, _ in known} == set(range(11, users))
    assert {watcher for _, watcher in known} == set(range(4, 11))


def test_the_shares_of_a_day_add_up_to_a_hundred_a_fifth_of_them_messages():
    assert sum(day.SHARES.values()) == 100
    assert day.SHARES["send"] == 20


async def test_a_guest_is_online_when_all_were_notified_however_often_each_was():
    board = presence._Board()
    one, other = Watcher(), Watcher()
    coming = asyncio.create_task(board.reached("7", 2))
    await asyncio.sleep(0)
    board.update(one, "7", online=True)
    board.update(one, "7", online=True)
    await asyncio.sleep(0)
    assert not coming.done()
    board.update(other, "7", online=True)
    came_at = await coming
    board.update(other, "8", online=True)
    assert await board.reached("7", 2) == came_at


async def test_a_caller_keeps_its_connection_and_makes_another_when_the_server_ended_it():
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        for _ in range(2):
            request = await reader.readuntil(b"\r\n\r\n")
            assert b"Authorization: Bearer secret\r\n" in request
            connections[-1] += 1
            writer.write(ANSWER)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        caller = Caller(Seat(url=f"ws://127.0.0.1:{port}/", hello={"token": "secret"}))
        for _ in range(3):
            answer = await caller.get("things")
            assert (answer.status, answer.content) == (200, {"a": 1})
            # So that the end of a connection can come in before the next request.
            await asyncio.sleep(0.05)
        caller.close()

    assert connections == [2, 1]


async def test_a_caller_says_so_when_there_was_no_answer():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        caller = Caller(Seat(url=f"ws://127.0.0.1:{port}/"))
        with pytest.raises(ConnectionError):
            await caller.get("things")


class Watcher(presence._Watcher):
    """Without a connection."""

    def __init__(self) -> None:
        placeholder: Any = None
        super().__init__(Seat(url=""), placeholder, placeholder)
