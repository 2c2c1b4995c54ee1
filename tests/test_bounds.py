"""What one connection, and all together, may hold and for how long: docs/limits.md has the table."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import sqlite3
import struct
import threading

import pytest
from django.test import Client
from websockets.frames import Close, Frame, Opcode

from chatbe.server.http_budget import Budget
from chatbe.server.logging import TRACEBACK_MAX, VALUE_MAX, escape_controls
from chatbe.server.tests.peer import Peer
from chatbe.server.websocket_protocol import TURN_FRAMES
from chatbe.settings import env
from tests.kit.site import TestSite
from tests.test_bad_neighbours import resident_bytes

pytestmark = [pytest.mark.embedded_only, pytest.mark.slow]

HELLO_SECONDS, BODY_SECONDS, ANSWER_SECONDS, STALL_SECONDS = 2, 2, 2, 3
# What a busy machine may add to a deadline.
MARGIN_SECONDS = 10
HEAD_BYTES, BODY_BYTES = 8_192, 150_000
CONNECTIONS, BODIES_BYTES, ANSWERS_BYTES = 40, 400_000, 1_000_000
PINGS = 200
PING = Frame(Opcode.PING, b"x" * 125).serialize(mask=True)
TEXT, TEXTS = "\U0001f600" * 8_000, 20
HOST = "Host: localhost\r\n"
LOGIN = "/api/v1/auth/login"
HANDSHAKE = (
    f"GET /ws/v1/ HTTP/1.1\r\n{HOST}Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture(scope="module")
def strict():
    """A server whose bounds are near."""
    site = TestSite(
        "serve",
        "",
        "",
        HELLO_SECONDS=str(HELLO_SECONDS),
        HTTP_HEAD_BYTES=str(HEAD_BYTES),
        HTTP_BODY_BYTES=str(BODY_BYTES),
        HTTP_BODY_SECONDS=str(BODY_SECONDS),
        HTTP_ANSWER_SECONDS=str(ANSWER_SECONDS),
        HTTP_CONNECTIONS_MAX=str(CONNECTIONS),
        HTTP_BODIES_BYTES=str(BODIES_BYTES),
        HTTP_ANSWERS_BYTES=str(ANSWERS_BYTES),
        FRAMES_PER_SOCKET=f"{PINGS}+1/second",
        SOCKET_STALL_SECONDS=str(STALL_SECONDS),
        SWEEP_SECONDS="1",
    )
    with contextlib.closing(site.server):
        yield site


class Line:
    """A connection that reads what it is told to."""

    def __init__(self, site: TestSite, *, narrow: bool = False) -> None:
        self._socket = socket.socket()
        if narrow:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.setblocking(False)
        self._address = ("127.0.0.1", site.server.port)
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self):
        await self._loop.sock_connect(self._socket, self._address)
        return self

    async def __aexit__(self, *_exception):
        self._socket.close()

    async def send(self, data: str | bytes) -> None:
        await self._loop.sock_sendall(
            self._socket, data.encode() if isinstance(data, str) else data
        )

    async def read(self) -> bytes:
        return await self._loop.sock_recv(self._socket, 65_536)

    async def ask(self, method: str, path: str, more: str = "", body: bytes = b"") -> None:
        await self.send(f"{method} {path} HTTP/1.1\r\n{HOST}{more}\r\n".encode() + body)

    async def all(self, seconds: float = MARGIN_SECONDS) -> bytes:
        """What comes until the server closes, which it must do in time."""
        data = b""
        async with asyncio.timeout(seconds):
            with contextlib.suppress(ConnectionError):
                while piece := await self.read():
                    data += piece
        return data

    async def answer(self) -> bytes:
        """One whole answer, in however many pieces it comes, of a connection that goes on."""
        data = b""
        async with asyncio.timeout(MARGIN_SECONDS):
            while b"\r\n\r\n" not in data:
                data += await self._more()
            head, _, body = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?im)^content-length: *(\d+)", head)
            while length and len(body) < int(length[1]):
                body += await self._more()
        return head + b"\r\n\r\n" + body

    async def _more(self) -> bytes:
        piece = await self.read()
        if not piece:
            raise ConnectionResetError
        return piece

    async def status(self) -> int:
        answer = await self.all()
        return int(answer.split()[1]) if answer else 0

    async def dropped(self, seconds: float) -> bool:
        """Whether the server drops it in time, without our reading what it holds."""
        async with asyncio.timeout(seconds):
            while True:
                await asyncio.sleep(0.05)
                # Reading nothing we learn of the end by what TCP says of the connection.
                info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
                if struct.unpack("B", info[:1])[0] != 1:
                    return True


async def measured(site: TestSite) -> str:
    async with Line(site) as line:
        await line.ask("GET", "/metrics", "Connection: close\r\n")
        return (await line.all()).decode()


async def healthy(site: TestSite) -> None:
    async with Line(site) as line:
        await line.ask("GET", "/healthz", "Connection: close\r\n")
        assert await line.status() == 200


# --- heads ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        f"GET /healthz HTTP/1.1\r\n{HOST}X: ",
        "GET /",
        f"GET /healthz HTTP/1.1\r\n{HOST}",
    ],
    ids=["a header", "an address", "headers"],
)
async def test_a_head_without_end_is_refused(strict, head):
    async with Line(strict) as line:
        more = "X: y\r\n" * 200 if head.endswith("\r\n") else "x" * 1_000
        with contextlib.suppress(ConnectionError):
            await line.send(head)
            for _ in range(100):
                await line.send(more)
        assert await line.status() in {431, 0}
    await healthy(strict)


async def test_a_head_that_is_too_long_is_refused_though_it_came_at_once(strict):
    for more in ("X: " + "x" * HEAD_BYTES + "\r\n", "X: y\r\n" * 200):
        async with Line(strict) as line:
            await line.ask("GET", "/healthz", more)
            assert await line.status() == 431


async def test_what_follows_a_body_is_no_header(strict):
    """A proxy that writes headers of its own does not look there."""
    async with Line(strict) as line:
        await line.ask(
            "POST",
            LOGIN,
            "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\nConnection: close\r\n",
            b"2\r\n{}\r\n0\r\nContent-Type: text/plain\r\n\r\n",
        )
        assert await line.status() == 400


# --- bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (f"Content-Length: {10**12}\r\n", b""),
        (f"Content-Length: {BODY_BYTES + 1}\r\n", b" " * (BODY_BYTES + 1)),
        (
            "Transfer-Encoding: chunked\r\n",
            b"186a0\r\n" + b" " * 100_000 + b"\r\n" + b"186a0\r\n" + b" " * 100_000 + b"\r\n",
        ),
    ],
    ids=["announced", "sent", "in pieces"],
)
async def test_a_body_that_is_too_large_is_refused(strict, head, body):
    async with Line(strict) as line:
        await line.ask("POST", LOGIN, head + "Content-Type: application/json\r\n")
        with contextlib.suppress(ConnectionError):
            await line.send(body)
        answer = await line.all()
        assert answer.startswith(b"HTTP/1.1 413")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too_large"


@pytest.mark.parametrize(
    "wrapping",
    [b"5;" + b"x" * 1_000, b"2\r\n{}\r\n0\r\nX: " + b"x" * 1_000],
    ids=["what is said of a piece", "what follows the last"],
)
async def test_what_wraps_a_body_has_an_end(strict, wrapping):
    async with Line(strict) as line:
        await line.ask("POST", LOGIN, "Transfer-Encoding: chunked\r\n")
        with contextlib.suppress(ConnectionError):
            await line.send(wrapping)
            for _ in range(50):
                await asyncio.sleep(0.01)
                await line.send(b"x" * 1_000)
        assert await line.status() in {413, 0}


async def test_a_body_may_come_byte_by_byte(strict):
    async with Line(strict) as line:
        await line.ask(
            "POST",
            LOGIN,
            "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\nConnection: close\r\n",
        )
        body = json.dumps({"login": "x" * 200, "password": "x" * 5_000}).encode()
        chunks = [b"1\r\n%c\r\n" % byte for byte in body]
        # Some at a time: all of it has BODY_SECONDS.
        for start in range(0, len(chunks), 50):
            await line.send(b"".join(chunks[start : start + 50]))
        await line.send(b"0\r\n\r\n")
        assert b"no more than 256 characters" in await line.all()


@pytest.mark.parametrize("more", ["", "Connection: Upgrade\r\nUpgrade: h2c\r\n"])
@pytest.mark.parametrize(("path", "name"), [(LOGIN, "login"), ("/v1/auth/login", "email")])
async def test_a_body_that_announces_no_length_is_read(strict, path, name, more):
    """Clients that stream what they send do not know how long it is."""
    body = json.dumps({name: "nobody@example.org", "password": "wrong"}).encode()
    async with Line(strict) as line:
        await line.ask(
            "POST", path, "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n" + more
        )
        await line.send(b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (body[:5], len(body) - 5, body[5:]))
        assert (await line.answer()).startswith(b"HTTP/1.1 401")


async def test_sockets_that_say_nothing_give_way_to_others(strict):
    async with contextlib.AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(Line(strict)) for _ in range(CONNECTIONS + 10)]
        for line in lines:
            await line.send(HANDSHAKE)
        await healthy(strict)
        assert b"hello_timeout" not in await lines[0].all(HELLO_SECONDS + MARGIN_SECONDS)


async def test_a_body_that_does_not_come_is_given_up(strict):
    async with Line(strict) as silent, Line(strict) as slow:
        await silent.ask("POST", LOGIN, "Content-Length: 100\r\n")
        await slow.ask("POST", LOGIN, "Transfer-Encoding: chunked\r\n")

        async def drip():
            with contextlib.suppress(ConnectionError):
                while True:
                    await slow.send("1\r\nx\r\n")
                    await asyncio.sleep(0.1)

        dripping = asyncio.create_task(drip())
        assert await silent.status() == 408
        assert await slow.status() in {408, 0}
        dripping.cancel()


async def test_a_client_that_offers_to_speak_something_else_keeps_its_body(strict):
    """As stock Java clients do, in one piece and in two."""
    body = json.dumps({"login": "nobody", "password": "wrong"}).encode()
    for pause in (0, 0.1):
        async with Line(strict) as line:
            await line.ask(
                "POST",
                LOGIN,
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n",
            )
            await asyncio.sleep(pause)
            await line.send(body)
            assert (await line.answer()).startswith(b"HTTP/1.1 401")
            # And the connection goes on.
            await line.ask("GET", "/healthz", "Connection: close\r\n")
            assert await line.status() == 200


async def test_requests_by_the_thousand_are_dropped(strict):
    async with Line(strict, narrow=True) as line:
        with contextlib.suppress(ConnectionError):
            await line.send(f"GET /api/v1/me HTTP/1.1\r\n{HOST}\r\n" * 2_000)
        assert await line.dropped(MARGIN_SECONDS)
    async with Line(strict) as line:
        await line.send(f"GET /api/v1/me HTTP/1.1\r\n{HOST}\r\n" * 10)
        assert (await line.all()).count(b"HTTP/1.1 401") == 10


async def test_a_connection_that_asks_no_more_is_closed(strict):
    async with Line(strict) as line:
        await line.ask("GET", "/healthz")
        # Line breaks are no request.
        with contextlib.suppress(ConnectionError):
            for _ in range(30):
                await asyncio.sleep(0.1)
                await line.send("\r\n")
        assert await line.status() == 200


# --- answers --------------------------------------------------------------------------------


@pytest.fixture
async def long_texts(strict):
    """Somebody, and a conversation with 640 KB of texts."""
    alice, _, conversation_id = await strict.talking()
    async with alice.live() as phone:
        for _ in range(TEXTS):
            await phone.send_text(conversation_id, TEXT)
    return alice, conversation_id


async def test_an_answer_nobody_takes_is_dropped(strict, long_texts):
    alice, conversation_id = long_texts
    async with Line(strict, narrow=True) as line:
        # More than the system itself keeps for a connection.
        for _ in range(14):
            await line.ask(
                "GET",
                f"/api/v1/conversations/{conversation_id}/messages?limit=200",
                f"Authorization: Bearer {alice.token}\r\n",
            )
        # The other end of a line that is full sees nothing of its end.
        async with asyncio.timeout(ANSWER_SECONDS + MARGIN_SECONDS):
            while 'reason="answer_timeout"' not in await measured(strict):
                await asyncio.sleep(0.2)


async def test_a_socket_that_reads_nothing_is_not_obeyed(strict, long_texts):
    alice, conversation_id = long_texts
    async with alice.live() as socket:
        socket.transport.pause_reading()
        before = resident_bytes(strict.server.pid)
        for _ in range(100):
            await socket.send(
                "conversation.fetch", conversation_id=conversation_id, after=0, limit=500
            )
        for _ in range(10):
            await asyncio.sleep(0.2)
            # A hundred answers would be 50 MB.
            assert resident_bytes(strict.server.pid) < before + 15 * 2**20
        await healthy(strict)


async def test_a_range_that_is_cut_short_says_where_it_ends(strict, long_texts):
    alice, conversation_id = long_texts
    seqs, after = [], 0
    async with alice.live() as socket:
        for _ in range(4):
            answer = await socket.ask(
                "conversation.fetch", conversation_id=conversation_id, after=after, limit=500
            )
            seqs += [message["seq"] for message in answer["changes"]]
            after = answer["to"]
            if after == answer["head"]:
                break
    assert seqs == list(range(1, TEXTS + 1))
    assert after == TEXTS


def test_the_oldest_gives_way_when_all_hold_too_much():
    gone: list[str] = []
    budget = Budget("test", 100)
    for name in ("one", "two", "three"):
        budget.take(name, 40, lambda name=name: gone.append(name))
    assert gone == ["one"]
    budget.give_back("one")
    assert budget.total == 80
    budget.give_back("two")
    # More than everybody may have: nobody else can give way, and a bound of its own holds it.
    budget.take("three", 100, lambda: gone.append("three"))
    assert gone == ["one"]
    budget.take("four", 1, lambda: gone.append("four"))
    assert gone == ["one", "three"]
    assert budget.total == 1


async def test_of_connections_that_ask_nothing_the_oldest_give_way(strict):
    async with contextlib.AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(Line(strict)) for _ in range(CONNECTIONS + 10)]
        for line in lines:
            await line.send("GET ")
        await healthy(strict)
        assert await lines[0].all(HELLO_SECONDS + MARGIN_SECONDS) == b""


# --- frames ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        PING,
        Frame(Opcode.PONG, b"").serialize(mask=True),
        Frame(Opcode.CONT, b"", fin=False).serialize(mask=True),
        Frame(Opcode.BINARY, b"").serialize(mask=True),
    ],
    ids=["pings", "pongs", "pieces", "binary"],
)
async def test_control_frames_and_pieces_are_counted(strict, frame):
    async with Line(strict) as line:
        await line.send(HANDSHAKE)
        assert b" 101 " in await line.answer()
        if frame[0] & 0x0F == Opcode.CONT:
            await line.send(Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True))
        with contextlib.suppress(ConnectionError):
            await line.send(frame * (PINGS + 20))
        answer = await line.all()
        assert answer.endswith(Close(4005, "too_many_commands").serialize())
    await healthy(strict)


async def test_pings_whose_answers_nobody_reads_cost_nothing():
    async with Peer() as peer:
        peer.transport.get_write_buffer_size = lambda: 2**20
        peer.protocol.data_received(PING * 100)
        await peer.until(lambda: not peer.transport.paused)
        assert peer.transport.written == b""
        peer.transport.get_write_buffer_size = lambda: 0
        peer.protocol.data_received(PING)
        assert [frame.opcode for frame in peer.answers()] == [Opcode.PONG]


async def test_however_many_frames_come_others_have_their_turn():
    turns = []
    async with Peer() as peer:
        frames = Frame(Opcode.TEXT, b"x").serialize(mask=True) * (5 * TURN_FRAMES + 1)
        peer.protocol.data_received(frames + PING)
        assert peer.transport.paused
        while len(peer.taken) < 5 * TURN_FRAMES + 1:
            turns.append(len(peer.taken))
            await asyncio.sleep(0)
        assert max(b - a for a, b in zip([0, *turns], turns, strict=False)) <= TURN_FRAMES
        await peer.until(lambda: not peer.transport.paused)
        assert [frame.opcode for frame in peer.answers()] == [Opcode.PONG]


async def test_a_stranger_may_not_send_what_a_user_may(strict):
    async with Line(strict) as line:
        await line.send(HANDSHAKE)
        await line.answer()
        # Its header is enough: nobody keeps the rest.
        await line.send(Frame(Opcode.TEXT, b"x" * 100_000).serialize(mask=True)[:100])
        assert struct.pack("!H", 1009) in await line.all()


# --- the process ----------------------------------------------------------------------------


def test_the_page_caches_of_all_threads_have_one_bound(tmp_path):
    """SQLite's own bound holds for all connections of a process."""
    path, limit = tmp_path / "pages.sqlite3", 4 * 2**20
    with contextlib.closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, text TEXT)")
        made.executemany("INSERT INTO big (text) VALUES (?)", [("x" * 3_000,)] * 10_000)
        made.commit()

    def grown(soft_heap_limit: int) -> int:
        connections = [sqlite3.connect(path, check_same_thread=False) for _ in range(8)]
        before = memory()
        for one in connections:
            one.execute(f"PRAGMA soft_heap_limit={soft_heap_limit}")
            one.execute("PRAGMA cache_size=-32000")
            thread = threading.Thread(
                target=lambda one=one: one.execute("SELECT sum(length(text)) FROM big").fetchall()
            )
            thread.start()
            thread.join()
        size = memory() - before
        for one in connections:
            one.execute("PRAGMA soft_heap_limit=0")
            one.close()
        return size

    def memory() -> int:
        return resident_bytes(__import__("os").getpid())

    # The first says what the second would have taken.
    assert grown(limit) < 3 * limit < grown(0)


def test_a_connection_of_the_server_is_told_that_bound(db):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA soft_heap_limit")
        assert cursor.fetchone()[0] == env.scheme["SQLITE_MEMORY_BYTES"][1]


@pytest.mark.parametrize("address", ["/api/schema", "/api/schema?format=json"])
def test_the_document_of_rest_is_made_once(db, address, monkeypatch):
    first = Client().get(address)
    assert first.status_code == 200

    def never(*_arguments, **_more):
        raise AssertionError

    monkeypatch.setattr("drf_spectacular.generators.SchemaGenerator.get_schema", never)
    again = Client().get(address + ("&" if "?" in address else "?") + "lang=de&version=%00")
    assert again.content == first.content
    assert "\x00" not in again["Content-Disposition"]


def test_a_line_of_the_log_is_as_long_as_we_say():
    said = escape_controls(
        None, "", {"path": "x" * 100_000, "places": "y" * 100_000, "status": 200}
    )
    assert len(said["path"]) == VALUE_MAX + 1
    assert len(said["places"]) == TRACEBACK_MAX + 1
    assert said["status"] == 200
