"""A connection of `serve` without a network: the client is the test."""

import asyncio

import uvicorn
from uvicorn.server import ServerState
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from chatbe.gateway.transports import DIRECT_EXTENSION
from chatbe.server.websocket_protocol import ChatProtocol

MAX_SIZE = 70_000
HANDSHAKE = (
    b"GET /ws/v1/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Transport(asyncio.Transport):
    """Keeps what is written; the network is whoever calls `data_received`."""

    def __init__(self):
        super().__init__()
        self.written = b""
        self.paused = self.closing = False

    def write(self, data):
        self.written += data

    def close(self):
        self.closing = True

    abort = close

    def is_closing(self):
        return self.closing

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    def get_write_buffer_size(self):
        return 0


class Peer:
    """A connection after its handshake, and what its consumer was given."""

    def __init__(self, take=None):
        self.taken = []
        self.transport = Transport()
        self._take = take or self._keep

    def _keep(self, payload):
        self.taken.append(payload)

    async def __aenter__(self):
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            ws_max_size=MAX_SIZE,
            ws_per_message_deflate=False,
            proxy_headers=False,
            log_config=None,
        )
        config.load()
        self._ready = asyncio.Event()
        self.protocol = ChatProtocol(config, ServerState(), {}, asyncio.get_running_loop())
        self.protocol.connection_made(self.transport)
        self.protocol.data_received(HANDSHAKE)
        await asyncio.wait_for(self._ready.wait(), 20)
        assert self.transport.written.startswith(b"HTTP/1.1 101")
        self.transport.written = b""
        return self

    async def __aexit__(self, *_exception):
        self.protocol.connection_lost(None)
        await asyncio.gather(*self.protocol.tasks)

    async def _serve(self, scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        scope["extensions"][DIRECT_EXTENSION].read_with(self._take, MAX_SIZE)
        self._ready.set()
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def until(self, condition):
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0)

    def answers(self):
        """The frames written to the client."""
        stream, frames = StreamReader(), []
        stream.feed_data(self.transport.written)
        while stream.buffer:
            reading = Frame.parse(stream.read_exact, mask=False, max_size=None)
            try:
                next(reading)
            except StopIteration as end:
                frames.append(end.value)
        return frames

    def close_code(self):
        [frame] = [frame for frame in self.answers() if frame.opcode is Opcode.CLOSE]
        return Close.parse(frame.data).code
