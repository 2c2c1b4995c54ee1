"""A Redis that answers, but with an error: for us it is away, and nobody is refused for it."""

import asyncio
import contextlib
import threading

import pytest

from common.errors import RateLimited
from common.limits import window
from common.limits.shared import SharedLimits
from common.limits.socket_leases import SocketLeases
from presence.redis_store import RedisStore
from presence.store import Lease, LeaseUpdate, StoreUnavailable

CODES = [
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM this user has no permissions to run the command",
    "CLUSTERDOWN The cluster is down",
    "MOVED 1 127.0.0.1:1",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "BUSY Redis is busy running a script.",
    "MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist.",
    "NOREPLICAS Not enough good replicas to write.",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "EXECABORT Transaction discarded because of previous errors.",
    "ERR max number of clients reached",
]


class Refusing:
    """Answers whatever it is asked with one error."""

    def __init__(self, words):
        self._words = words
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        opened = asyncio.run_coroutine_threadsafe(self._open(), self._loop)
        self.url = f"redis://127.0.0.1:{opened.result(20)}/0"

    async def _open(self):
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def _answer(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while head := await reader.readline():
                for _ in range(int(head[1:])):
                    size = int((await reader.readline())[1:])
                    await reader.readexactly(size + 2)
                writer.write(f"-{self._words}\r\n".encode())
                await writer.drain()

    def close(self):
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)


@pytest.fixture(params=CODES, ids=lambda words: words.split()[0])
def refusing(request, settings):
    server = Refusing(request.param)
    settings.REDIS_URL = server.url
    yield server
    server.close()
    window._windows_for.cache_clear()


def test_windows_are_counted_in_memory(refusing):
    key = ("4/minute", "guesses", "redis trouble")
    # Half of what is allowed with it.
    for _ in range(2):
        window.check(*key)
        window.hit(*key)
    with pytest.raises(RateLimited):
        window.hit(*key)
    window.clear(*key)
    window.hit(*key)


async def test_leases_and_presence_go_on_without_it(refusing):
    sharing = SharedLimits(refusing.url, "p")
    leases = SocketLeases(sharing, "p", lambda *_: None)
    taking = asyncio.ensure_future(leases.take(1, 1))
    await asyncio.sleep(0)
    await leases.stop()
    assert (await taking).user_id == 1
    assert not sharing.is_up
    assert sharing.processes == 2
    store = RedisStore(sharing)
    for ask in (
        lambda: store.put([LeaseUpdate(Lease(1, "a"), 5.0)]),
        store.sweep,
        lambda: store.online([1]),
        store.unsaved,
    ):
        # Also the first that finds it so.
        sharing.processes = 1
        with pytest.raises(StoreUnavailable):
            await ask()
    await sharing._report_due()
    assert not sharing.is_up
    await sharing.stop()
    sharing._found(1)
