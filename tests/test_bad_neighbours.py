"""Clients that are dead, stuck or hostile: found, bounded, and nobody else's trouble."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from tests.kit.proxy import Proxy
from tests.kit.scraped import value
from tests.kit.site import Socket, TestSite

# Once is enough: nothing here differs with another database.
pytestmark = [pytest.mark.embedded_only, pytest.mark.slow]

PING_SECONDS = 2.0
HELLO_SECONDS = 4.0
STALL_SECONDS = 1.0
SOCKETS_PER_USER = 3
# What a busy machine may add to a deadline.
MARGIN_SECONDS = 8.0
# How long others may wait for an answer meanwhile: nobody is blocked, however slow it all is.
OTHERS_SECONDS = 8.0
GROWTH_BYTES = 20 * 2**20
FRAGMENTS = 100_000
DEEP = 100_000


@pytest.fixture(scope="module")
def impatient():
    """A server that gives up on its clients soon."""
    site = TestSite(
        "serve",
        "",
        "",
        PING_SECONDS=str(PING_SECONDS),
        HELLO_SECONDS=str(HELLO_SECONDS),
        SOCKET_STALL_SECONDS=str(STALL_SECONDS),
        SOCKETS_PER_USER=str(SOCKETS_PER_USER),
        SWEEP_SECONDS="1",
    )
    with contextlib.closing(site.server):
        yield site


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("the memory of another process is read from /proc")
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


@contextlib.asynccontextmanager
async def others_chat(site: TestSite):
    """Two people go on chatting; every send is answered in time, and in order."""
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        for _ in range(20):
            await phone.send_text(conversation_id, "warm")
        answered = len(site.stored(conversation_id))

        async def chat():
            while True:
                async with asyncio.timeout(OTHERS_SECONDS):
                    sent = await phone.send_text(conversation_id, "hello")
                    await tablet.message("hello")
                seqs.append(sent["message"]["seq"])
                await asyncio.sleep(0.02)

        seqs: list[int] = []
        chatting = asyncio.create_task(chat())
        yield
        if chatting.done():
            chatting.result()
        chatting.cancel()
        await asyncio.gather(chatting, return_exceptions=True)
        assert len(seqs) > 1
        assert seqs == list(range(answered + 1, answered + 1 + len(seqs)))


async def sockets_gone(site, seconds, *, left):
    """Wait until the server has no sockets any more but so many."""
    async with asyncio.timeout(seconds):
        while await asyncio.to_thread(value, site.address, "chat_sockets") > left:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("with_events", [True, False], ids=["with events", "silent"])
async def test_a_socket_whose_line_went_dead_is_found_by_ping(impatient, with_events):
    alice, bob, conversation_id = await impatient.talking()
    await bob.be_logged_in()
    async with Proxy(impatient.server.port) as line, contextlib.AsyncExitStack() as stack:
        for _ in range(SOCKETS_PER_USER):
            url = f"ws://127.0.0.1:{line.port}/ws/v1/"
            opening = connect(url, ping_interval=None, close_timeout=0.1)
            socket = Socket(await stack.enter_async_context(opening))
            await socket.send("hello", token=bob.token)
            await socket.send("sync", cursors={}, done=True)
            await socket.expect("live")
        line.hang()
        if with_events:
            # What cannot be delivered any more must not keep the socket.
            async with alice.live() as phone:
                for _ in range(400):
                    await phone.send_text(conversation_id, "x" * 8_000)
        await sockets_gone(impatient, 2 * PING_SECONDS + MARGIN_SECONDS, left=0)


async def test_a_client_that_answers_pings_stays(impatient):
    alice, _ = impatient.friends()
    async with alice.live() as socket:
        with pytest.raises(TimeoutError):
            await socket.closed(3 * PING_SECONDS)
        assert (await socket.ask("ping"))["type"] == "pong"


async def read_until_closed(reader):
    with contextlib.suppress(ConnectionError):
        await reader.read()


@pytest.mark.parametrize("drips", [True, False], ids=["byte by byte", "silent"])
async def test_a_connection_that_never_finishes_its_handshake_is_closed(impatient, drips):
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.server.port)

    async def drip():
        for byte in b"GET /ws/v1/ HTTP/1.1\r\nHost: localhost\r\nX-Padding: " + b"x" * 1_000:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)

    dripping = asyncio.create_task(drip() if drips else asyncio.sleep(0))
    async with asyncio.timeout(HELLO_SECONDS + MARGIN_SECONDS):
        await read_until_closed(reader)
    dripping.cancel()
    writer.close()


async def test_a_connection_that_asked_in_time_is_not_cut_while_it_is_answered(impatient):
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.server.port)
    for _ in range(2):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        assert head.startswith(b"HTTP/1.1 200")
        await asyncio.wait_for(reader.readuntil(b"}"), 20)
        await asyncio.sleep(HELLO_SECONDS * 0.7)
    writer.close()


async def test_sockets_that_never_read_cost_little_and_are_cut_off(impatient):
    alice, bob, conversation_id = await impatient.talking()
    async with others_chat(impatient), alice.live() as phone, contextlib.AsyncExitStack() as stack:
        stuck = [await stack.enter_async_context(bob.live()) for _ in range(SOCKETS_PER_USER)]
        before = resident_bytes(impatient.server.pid)
        for socket in stuck:
            socket.transport.pause_reading()
        for _ in range(800):
            await phone.send_text(conversation_id, "x" * 8_000)
        assert resident_bytes(impatient.server.pid) < before + GROWTH_BYTES
        await sockets_gone(impatient, STALL_SECONDS + MARGIN_SECONDS, left=3)


def frames(*parts: tuple[Opcode, bytes, bool]) -> bytes:
    return b"".join(Frame(*part).serialize(mask=True) for part in parts)


def fragments() -> bytes:
    one = frames((Opcode.CONT, b"x", False))
    return frames((Opcode.TEXT, b"{", False)) + one * FRAGMENTS


def empty_fragments() -> bytes:
    one = frames((Opcode.CONT, b"", False))
    return frames((Opcode.TEXT, b"", False)) + one * FRAGMENTS


HOSTILE = {
    "one-byte fragments": fragments,
    "empty fragments": empty_fragments,
    "an oversize frame": lambda: frames((Opcode.TEXT, b"x" * 2**20, True)),
    "deep JSON": lambda: frames((Opcode.TEXT, b"[" * DEEP, True)) * 20,
    "a frame that never ends": lambda: frames((Opcode.TEXT, b"x" * 250_000, True))[:-1],
    # Compression was not agreed on: its mark is an error, whatever a bomb would unfold to.
    "a deflate bomb": lambda: (
        bytes([0x81 | 0x40]) + frames((Opcode.TEXT, b"\x00" * 1_000, True))[1:]
    ),
}


async def test_hostile_frames_cost_little_and_nobody_else(impatient):
    alice, _ = impatient.friends()
    async with others_chat(impatient):
        for name, made in HOSTILE.items():
            async with contextlib.AsyncExitStack() as stack:
                sockets = [
                    await stack.enter_async_context(alice.live()) for _ in range(SOCKETS_PER_USER)
                ]
                before = resident_bytes(impatient.server.pid)
                data = made()
                for socket in sockets:
                    socket.transport.write(data)
                for _ in range(5):
                    assert resident_bytes(impatient.server.pid) < before + GROWTH_BYTES, name
                    await asyncio.sleep(0.1)
                for socket in sockets:
                    socket.transport.abort()
            await sockets_gone(impatient, MARGIN_SECONDS, left=2)


@pytest.mark.parametrize("fragment", [b"x", b""], ids=["one byte", "empty"])
async def test_a_message_in_too_many_fragments_is_cut_off(impatient, fragment):
    alice, _ = impatient.friends()
    async with alice.live() as socket:
        one = frames((Opcode.CONT, fragment, False))
        socket.transport.write(frames((Opcode.TEXT, b"{", False)) + one * 1_000)
        assert await socket.closed() == 1009


async def test_a_frame_that_drips_in_is_taken(impatient):
    alice, _ = impatient.friends()
    async with alice.live() as socket:
        ping = json.dumps({"type": "ping", "ref": "dripped"}) + " " * 2_000
        for byte in frames((Opcode.TEXT, ping.encode(), True)):
            socket.transport.write(bytes([byte]))
            await asyncio.sleep(0)
        await socket.expect("pong", ref="dripped")


async def test_compression_is_not_agreed_on(impatient):
    async with connect(f"ws://{impatient.address}/ws/v1/", compression="deflate") as socket:
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
        with contextlib.suppress(ConnectionClosed):
            await socket.close()
