"""Frames on their way out through a server that knows no more than ASGI."""

import asyncio

import pytest

from chatbe.gateway.transports import AsgiWriter
from common import background

PATIENCE_SECONDS = 20


@pytest.mark.parametrize("error", [OSError, RuntimeError, asyncio.CancelledError])
async def test_a_send_that_raises_ends_neither_the_writer_nor_the_ones_after_it(error, monkeypatch):
    monkeypatch.setattr(background, "FIRST_PAUSE_SECONDS", 0.001)
    tried, sent = [], asyncio.Event()

    async def send(event):
        tried.append(event["text"])
        if len(tried) == 1:
            raise error
        sent.set()

    writer = AsgiWriter(send)
    writer.write(b"one")
    writer.write(b"two")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await sent.wait()
        await writer.drained()
    assert tried == ["one", "two"]
    assert not writer._task.done()
    writer.ended()
