"""What a stranger gets wrong is never our failure: no 500, no traceback, no error in the log."""

from __future__ import annotations

import asyncio
import contextlib
import re

from tests.kit.noise import noise

AT_ONCE = 100
# A request that is never whole is cut off after HELLO_SECONDS, one that is refused lingers.
ANSWER_SECONDS = 30.0
# daphne, which is for development, waits for ever for the rest of what is not whole.
DAPHNE_SECONDS = 3.0
BAD_LINE = re.compile(
    r"Traceback|\[(?:error|critical)\s*\]|\bERROR\b|Exception|Unhandled", re.IGNORECASE
)


async def answer_to(address: str, data: bytes, seconds: float) -> bytes:
    """All that comes back until the connection is closed, or an answer is there."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = b""
    try:
        async with asyncio.timeout(seconds):
            writer.write(data)
            while piece := await reader.read(65_536):
                answer += piece
                if answer.startswith(b"HTTP/1.1 101"):
                    break
    except ConnectionError:
        # Closed in the middle of what we were saying.
        pass
    finally:
        writer.transport.abort()
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"(?m)^HTTP/1\.[01] (\d{3})", answer)]


async def test_a_strangers_noise_is_no_failure_of_ours(site):
    before = len(site.server.log)
    turns = asyncio.Semaphore(AT_ONCE)
    failed: list[tuple[bytes, bytes]] = []

    async def send(data: bytes) -> None:
        answer = b""
        async with turns:
            if site.kind == "serve":
                answer = await answer_to(site.address, data, ANSWER_SECONDS)
            else:
                with contextlib.suppress(TimeoutError):
                    answer = await answer_to(site.address, data, DAPHNE_SECONDS)
        if any(status >= 500 for status in statuses(answer)):
            failed.append((data[:200], answer[:300]))

    every = 1 if site.kind == "serve" else 4
    await asyncio.gather(*(send(data) for data in list(noise())[::every]))
    assert not failed
    said = site.server.log[before:]
    assert not [line for line in said.splitlines() if BAD_LINE.search(line)], said[:5_000]
    # It serves others as before.
    alice, _, conversation_id = await site.talking()
    async with alice.live() as socket:
        assert (await socket.send_text(conversation_id, "hello"))["type"] == "reply"
