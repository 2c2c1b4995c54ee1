"""How the load generator reads HTTP responses."""

import asyncio
import contextlib

import pytest

from benchmarks.calls import Caller
from benchmarks.job import Seat


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n[1, 2,3]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n5\r\n 2,3]\r\n0\r\n\r\n",
    ],
)
async def test_an_answer_is_read_whole_however_its_length_is_told(answer):
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            asked.append((await reader.readuntil(b"\r\n\r\n")).split()[:2])
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        caller = Caller(Seat(url=f"http://127.0.0.1:{port}", hello={"token": "t"}), base="/client")
        # The second proves that nothing of the first was left in the line.
        answers = [await caller.get("sync"), await caller.get("sync")]
        caller.close()
    assert [(one.status, one.content) for one in answers] == [(200, [1, 2, 3])] * 2
    assert asked == [[b"GET", b"/client/sync"]] * 2


async def test_a_connection_that_rested_and_was_ended_is_made_anew_but_a_new_one_is_not():
    asked: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The first is answered, what comes next on the same connection is not.
        await reader.readuntil(b"\r\n\r\n")
        asked.append(len(asked))
        if len(asked) < 3:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
            with contextlib.suppress(asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        caller = Caller(Seat(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        assert [(await caller.get("one")).content for _ in range(2)] == [[], []]
        with pytest.raises(ConnectionError):
            await caller.get("one")
        caller.close()
    assert len(asked) == 3
