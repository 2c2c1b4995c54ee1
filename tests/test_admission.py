"""Sockets of both interfaces are let in, counted and sent away alike."""

from __future__ import annotations

import contextlib
import inspect

import pytest

from chatbe.gateway import admission
from realtime.connection import Connection
from tests.test_commands import run
from tests.test_compat import logged_in

GOING_AWAY = 4003


@contextlib.asynccontextmanager
async def old(person):
    async with (await logged_in(person)).online() as socket:
        yield socket, socket.heard


@contextlib.asynccontextmanager
async def new(person):
    async with person.live() as socket:
        yield socket, socket.settle


both = pytest.mark.parametrize("interface", [old, new])


def parameters_of(function):
    return inspect.signature(function).parameters.values()


@pytest.mark.parametrize(
    "function",
    [
        Connection.__init__,
        admission.Admission.__init__,
        admission.Admission.enter,
        admission.admit,
        admission.refuse_handshake,
        admission.check_handshake,
        admission.count_hello,
    ],
)
def test_nothing_about_letting_a_socket_in_can_be_left_unsaid(function):
    assert [p.name for p in parameters_of(function) if p.default is not p.empty] == []


@both
async def test_who_was_disconnected_comes_back_and_stays(site, interface):
    alice, bob = site.friends()
    async with interface(alice) as (first, _):
        run(site, "disconnect_user", alice.username)
        assert await first.closed() == GOING_AWAY
    async with interface(alice) as (_, is_there), interface(bob) as (other, _):
        # Whoever closes the other's has looked at this one, too.
        run(site, "disconnect_user", bob.username)
        assert await other.closed() == GOING_AWAY
        await is_there()
