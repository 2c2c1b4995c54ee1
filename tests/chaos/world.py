"""The servers that faults are done to: PostgreSQL, Redis and the product's processes.

Every target works off its own queue of faults, beside the others: Redis may die while
PostgreSQL restarts and a server process is frozen. Whatever dies by a fault comes back;
a product process that dies without one is a violation.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.chat import Chat
from tests.chaos.schedule import Fault, Round
from tests.chaos.services import strike_postgres, strike_redis
from tests.chaos.violations import Violation
from tests.kit.servers import Installation, ProductServer
from tools.services import Postgres, Redis, ServiceError

# A server that finds PostgreSQL restarting gives up, and is started again.
STARTS = 10
# How long a server with a failpoint is left alone to reach it, before it is started anew.
FAILPOINT_SECONDS = 10
FAILPOINT_LIVES = 4
# A server process takes 130 MB after its start, and 100 MB for every password it checks:
# so it is looked at while nobody logs in.
MEMORY_MAX_MB = 300.0
MEMORY_EVERY = 1.0


class World:
    """`faults` counts what was done, `violations` what the processes did wrong.

    The last of `servers` is never ended by us. `chat` is set once there is one.
    """

    def __init__(
        self, postgres: Postgres, broker: Redis, installation: Installation, mortal: int
    ) -> None:
        self.postgres = postgres
        self.broker = broker
        self.servers = [installation.server() for _ in range(mortal + 1)]
        self.chat: Chat | None = None
        self.faults: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.lives = 0
        # In MB: the most that any process took, and what the one that lives on took in time.
        self.memory_peak = 0.0
        self.memory_of_last: list[float] = []
        # Those that do not run because we ended them.
        self._down = set(self.servers)
        self._locks = {server: asyncio.Lock() for server in self.servers}

    async def start(self) -> None:
        await asyncio.gather(*map(self._start, self.servers))

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def logs(self) -> dict[str, str]:
        """What each server has printed, by a name for it."""
        product = {f"server{index}": server.log for index, server in enumerate(self.servers)}
        return {**product, "postgres": self.postgres.log, "redis": self.broker.log}

    async def suffer(self, faults: Round) -> None:
        """All of a round's faults; afterwards every process runs, none with a failpoint."""
        await asyncio.gather(
            *map(self._suffer_server, self.servers, faults.servers),
            self._suffer_redis(faults.redis),
            self._suffer_postgres(faults.postgres),
            self._suffer_clients(faults.clients),
        )
        for server in self.servers:
            async with self._locks[server]:
                await self._ensure(server, "")

    async def watch(self) -> None:
        """Bring back processes that died by themselves, and look at their memory, for ever."""
        clock = asyncio.get_running_loop().time
        look_at = clock()
        while True:
            await asyncio.sleep(0.1)
            for server in self.servers:
                if not server.is_running and not self._locks[server].locked():
                    async with self._locks[server]:
                        await self._ensure(server, "")
            if clock() >= look_at and self.chat is not None and self.chat.is_talking:
                look_at = clock() + MEMORY_EVERY
                self._look_at_memory()

    # --- one target each

    async def _suffer_server(self, server: ProductServer, faults: Sequence[Fault]) -> None:
        async with self._locks[server]:
            for fault in faults:
                if fault.failpoints:
                    await self._die_at_failpoint(server, fault)
                else:
                    await self._ensure(server, "")
                    if not await self._outlives(server, fault.after):
                        await self._ensure(server, "")
                    await self._strike_server(server, fault)
                if not server.is_running:
                    await asyncio.sleep(fault.pause)
            await self._ensure(server, "")

    async def _strike_server(self, server: ProductServer, fault: Fault) -> None:
        self.faults[fault.kind] += 1
        if fault.kind == "server frozen":
            with contextlib.suppress(ServiceError):
                await asyncio.to_thread(server.pause)
                try:
                    await asyncio.sleep(fault.pause)
                finally:
                    await asyncio.to_thread(server.resume)
        elif fault.kind == "server stopped":
            await self._stop(server)
        else:
            try:
                await asyncio.to_thread(server.kill)
            except ServiceError:
                self._note_death(server)
            self._down.add(server)

    async def _die_at_failpoint(self, server: ProductServer, fault: Fault) -> None:
        for life in range(FAILPOINT_LIVES):
            # Where it did not come by often enough, it dies the first time.
            await self._ensure(server, fault.failpoints if life == 0 else f"{fault.failpoint}:1")
            for _ in range(FAILPOINT_SECONDS):
                if not await self._outlives(server, 1.0):
                    break
                if self.chat is not None:
                    # Who was away has missed something, and resumes.
                    self.chat.cut(server.address, pause=0.5)
            if server.is_running:
                await self._stop(server)
            if server.exit_code == -signal.SIGKILL:
                self._down.add(server)
                self.faults[fault.kind] += 1
                return
        self._violation("failpoint_not_reached", fault.failpoints)

    async def _suffer_redis(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(fault.after)
            self.faults[fault.kind] += 1
            await strike_redis(self.broker, fault)

    async def _suffer_postgres(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(fault.after)
            self.faults[fault.kind] += 1
            await strike_postgres(self.postgres, fault)

    async def _suffer_clients(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(fault.after)
            self.faults[fault.kind] += 1
            if self.chat is not None:
                pause = fault.pause * 2 if fault.kind == "clients away" else 0
                self.chat.drop(fault.share, pause)

    # --- processes of the product

    async def _ensure(self, server: ProductServer, failpoints: str) -> None:
        """Have it running with these failpoints and no others."""
        if server.is_running and server.environment["FAILPOINTS"] != failpoints:
            await self._stop(server)
        elif not server.is_running and server not in self._down:
            self._note_death(server)
        if not server.is_running:
            await self._start(server, failpoints)

    async def _start(self, server: ProductServer, failpoints: str = "") -> None:
        """Start it, again if need be, as a supervisor would."""
        server.environment["FAILPOINTS"] = failpoints
        for _ in range(STARTS):
            self.lives += 1
            try:
                await asyncio.to_thread(server.start)
            except ServiceError as error:
                if failpoints and server.exit_code == -signal.SIGKILL:
                    # It passed its failpoint before it was ready.
                    return
                self.faults["server did not start at once"] += 1
                problem = str(error)
                await asyncio.sleep(0.5)
            else:
                self._down.discard(server)
                if self.chat is not None:
                    self.chat.come_home(server.address)
                return
        self._violation("server_did_not_start", problem)

    async def _stop(self, server: ProductServer) -> None:
        await asyncio.to_thread(server.stop)
        self._down.add(server)
        if server.exit_code == -signal.SIGKILL and not server.environment["FAILPOINTS"]:
            self._violation("server_would_not_stop", server.address)

    async def _outlives(self, server: ProductServer, seconds: float) -> bool:
        """Whether it still runs after so many seconds; told at once if not."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while server.is_running and clock() < until:
            await asyncio.sleep(0.05)
        return server.is_running

    def _note_death(self, server: ProductServer) -> None:
        tail = "\n".join(server.log.splitlines()[-30:])
        self._violation("server_died", f"exit code {server.exit_code}:\n{tail}")

    def _look_at_memory(self) -> None:
        for server in self.servers:
            with contextlib.suppress(ServiceError, OSError):
                pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
                taken = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
                self.memory_peak = max(self.memory_peak, taken)
                if server is self.servers[-1]:
                    self.memory_of_last.append(taken)
                if taken > MEMORY_MAX_MB:
                    self._violation("memory_unbounded", f"{server.address}: {taken:.0f} MB")

    def _violation(self, kind: str, detail: str) -> None:
        self.violations.append(Violation(kind, "", detail))
