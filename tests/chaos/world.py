"""The targets of faults: PostgreSQL, Redis and the product's server processes.

Every target works through its own queue of faults beside the others: Redis may die while
PostgreSQL restarts and a server process is frozen. What a fault ended is restarted; a server
process that dies without a fault is a violation.
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

# A server that starts while PostgreSQL restarts gives up, and is started again.
STARTS = 10
# How long a server has to reach its failpoint before it is restarted.
FAILPOINT_SECONDS = 10
FAILPOINT_LIVES = 4
# A server process takes 130 MB after its start, and 100 MB more for each password it checks,
# so it is measured while nobody logs in.
MEMORY_MAX_MB = 300.0
MEMORY_EVERY = 1.0


class World:
    """`faults` counts what was done, `violations` what the processes did wrong.

    The last of `servers` is never ended. `chat` is set while a round runs.
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
        # In MB: the most that any process took, and the history of the one that is never ended.
        self.memory_peak = 0.0
        self.memory_of_last: list[float] = []
        # Servers that we ended.
        self._down = set(self.servers)
        self._locks = {server: asyncio.Lock() for server in self.servers}

    async def start(self) -> None:
        await asyncio.gather(*map(self._start, self.servers))

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def logs(self) -> dict[str, str]:
        """The output of each server, by its name."""
        product = {f"server{index}": server.log for index, server in enumerate(self.servers)}
        return {**product, "postgres": self.postgres.log, "redis": self.broker.log}

    async def run_faults(self, faults: Round) -> None:
        """Run all faults of a round. Afterwards every process runs, none with a failpoint."""
        await asyncio.gather(
            *map(self._fault_server, self.servers, faults.servers),
            self._fault_redis(faults.redis),
            self._fault_postgres(faults.postgres),
            self._fault_clients(faults.clients),
        )
        for server in self.servers:
            async with self._locks[server]:
                await self._ensure(server, "")

    async def watch(self) -> None:
        """Restart processes that died by themselves, and watch their memory, for ever."""
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

    async def _fault_server(self, server: ProductServer, faults: Sequence[Fault]) -> None:
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
            # If it did not pass often enough, it dies at the first pass.
            await self._ensure(server, fault.failpoints if life == 0 else f"{fault.failpoint}:1")
            for _ in range(FAILPOINT_SECONDS):
                if not await self._outlives(server, 1.0):
                    break
                if self.chat is not None:
                    # Devices that were away have missed something, and resume.
                    self.chat.cut(server.address, pause=0.5)
            if server.is_running:
                await self._stop(server)
            if server.exit_code == -signal.SIGKILL:
                self._down.add(server)
                self.faults[fault.kind] += 1
                return
        self._violation("failpoint_not_reached", fault.failpoints)

    async def _fault_redis(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(fault.after)
            self.faults[fault.kind] += 1
            await strike_redis(self.broker, fault)

    async def _fault_postgres(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(fault.after)
            self.faults[fault.kind] += 1
            await strike_postgres(self.postgres, fault)

    async def _fault_clients(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(fault.after)
            self.faults[fault.kind] += 1
            if self.chat is not None:
                pause = fault.pause * 2 if fault.kind == "clients away" else 0
                self.chat.drop(fault.share, pause)

    # --- processes of the product

    async def _ensure(self, server: ProductServer, failpoints: str) -> None:
        """Make sure it runs with these failpoints and no others."""
        if server.is_running and server.environment["FAILPOINTS"] != failpoints:
            await self._stop(server)
        elif not server.is_running and server not in self._down:
            self._note_death(server)
        if not server.is_running:
            await self._start(server, failpoints)

    async def _start(self, server: ProductServer, failpoints: str = "") -> None:
        """Start it, repeatedly if necessary, as a supervisor would."""
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
                    self.chat.return_home(server.address)
                return
        self._violation("server_did_not_start", problem)

    async def _stop(self, server: ProductServer) -> None:
        await asyncio.to_thread(server.stop)
        self._down.add(server)
        if server.exit_code == -signal.SIGKILL and not server.environment["FAILPOINTS"]:
            self._violation("server_would_not_stop", server.address)

    async def _outlives(self, server: ProductServer, seconds: float) -> bool:
        """Whether it still runs after this many seconds; returns at once if not."""
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
