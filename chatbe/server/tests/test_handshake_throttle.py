"""New connections come in a few a turn of the event loop, in order, and become sockets."""

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import cast

import uvicorn
from uvicorn.server import ServerState

from chatbe.server.handshake_throttle import TURN, HandshakeThrottle
from chatbe.server.http_protocol import ChatHttpProtocol
from chatbe.server.tests.peer import HANDSHAKE, Transport
from chatbe.server.websocket_protocol import ChatProtocol
from realtime.node import Node


async def test_however_many_come_at_once_others_have_their_turn_between_them():
    loop = asyncio.get_running_loop()
    doorway = HandshakeThrottle(cast("Node", SimpleNamespace(loop=loop)))
    came, turns = [], []
    for number in range(3 * TURN + 1):
        doorway.enter(lambda number=number: came.append(number))
    assert came == []
    while len(came) < 3 * TURN + 1:
        await asyncio.sleep(0)
        turns.append(len(came))
    assert came == list(range(3 * TURN + 1))
    assert max(b - a for a, b in zip([0, *turns], turns, strict=False)) == TURN


class Upgradable(Transport):
    protocol = None

    def set_protocol(self, protocol):
        self.protocol = protocol


async def test_a_handshake_is_gone_when_the_socket_is_there_without_a_collection():
    async def app(scope, receive, send):
        await receive()

    config = uvicorn.Config(
        app, interface="asgi3", ws=ChatProtocol, proxy_headers=False, log_config=None
    )
    config.load()
    transport, state = Upgradable(), ServerState()
    protocol = ChatHttpProtocol(config, state, {}, asyncio.get_running_loop())
    gone = weakref.ref(protocol)
    gc.disable()
    try:
        protocol.connection_made(transport)
        # It has come through the door.
        protocol._is_in = True
        protocol.data_received(HANDSHAKE)
        assert isinstance(transport.protocol, ChatProtocol)
        del protocol
        assert gone() is None
    finally:
        gc.enable()
    transport.protocol.connection_lost(None)
    await asyncio.gather(*state.tasks, return_exceptions=True)
