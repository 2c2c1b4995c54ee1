"""The servers that faults are done to: PostgreSQL, Redis and the product's processes.

A fault of one does not wait for the others: Redis may die while PostgreSQL restarts.
The product's processes are struck one after the other, as in a rolling update, so that
there is somebody to talk to; only failpoints end two at once. Whatever dies by a fault
comes back; a product process that dies without one is a violation.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Callable

import redis

from benchmarks.chaoslib.chat import Chat
from benchmarks.chaoslib.checker import Violation
from benchmarks.chaoslib.schedule import Fault
from scripts.server import Server
from scripts.services import Postgres, Redis, ServiceError
from tests.servers import Installation, ProductServer

STARTS = 5
# How long a server with a failpoint is left alone to reach it, before the next fault.
FAILPOINT_SECONDS = 4.0
# What a frozen process may be frozen for, so that nobody takes it for dead.
STALL_SECONDS = 2.0


class World:
    """`faults` counts what was done, `violations` what the processes did wrong.

    `chat` is set once there is one.
    """

    def __init__(
        self, postgres: Postgres, broker: Redis, installation: Installation, servers: int
    ) -> None:
        self.postgres = postgres
        self.broker = broker
        self.servers = [installation.server() for _ in range(servers)]
        self.chat: Chat | None = None
        self.faults: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self._locks = {id(one): asyncio.Lock() for one in (postgres, broker)}
        self._locks |= dict.fromkeys(map(id, self.servers), asyncio.Lock())
        self._running: set[asyncio.Task[None]] = set()
        self._is_over = False

    async def start(self) -> None:
        for server in self.servers:
            await asyncio.to_thread(server.start)

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def logs(self) -> dict[str, str]:
        """What each server has printed, by a name for it."""
        product = {f"server{place}": server.log for place, server in enumerate(self.servers)}
        return {**product, "postgres": self.postgres.log, "redis": self.broker.log}

    def strike(self, fault: Fault) -> None:
        """Do this, and what it takes to recover, beside everything else."""
        server = self.servers[fault.server]
        target: Server = server
        if fault.kind.startswith("redis"):
            target = self.broker
        elif fault.kind.startswith("postgres"):
            target = self.postgres
        elif fault.kind.startswith(("sockets", "clients")):
            self._cut(fault)
            return
        task = asyncio.get_running_loop().create_task(self._strike(fault, target))
        self._running.add(task)

    async def heal(self) -> None:
        """Wait until all faults are over and every server runs, none with a failpoint."""
        self._is_over = True
        await asyncio.gather(*self._running)
        for server in self.servers:
            async with self._locks[id(server)]:
                if not server.is_running:
                    self._note_death(server)
                elif not server.environment["FAILPOINTS"]:
                    continue
                else:
                    await self._stop(server)
                await self._start(server)

    async def watch(self) -> None:
        """Bring back processes that died by themselves, for ever."""
        while True:
            await asyncio.sleep(0.1)
            for server in self.servers:
                if not server.is_running and not self._locks[id(server)].locked():
                    async with self._locks[id(server)]:
                        self._note_death(server)
                        await self._start(server)

    # --- faults

    async def _strike(self, fault: Fault, target: Server) -> None:
        async with self._locks[id(target)]:
            if self._is_over:
                # On a slow machine faults queue up behind each other; what is late is left out.
                return
            if not target.is_running and isinstance(target, ProductServer):
                # A failpoint was quicker.
                self._note_death(target)
                await self._start(target)
            self.faults[fault.kind] += 1
            if fault.kind.endswith("stalled"):
                await self._stall(target, fault.pause)
            elif isinstance(target, ProductServer):
                await self._end_server(target, fault)
            elif fault.kind == "redis flushed":
                await asyncio.to_thread(self._redis, lambda client: client.flushall())
            elif fault.kind == "redis subscribers killed":
                await asyncio.to_thread(
                    self._redis, lambda client: client.client_kill_filter(_type="pubsub")
                )
            else:
                await self._end_service(target, fault)

    async def _stall(self, target: Server, pause: float) -> None:
        # A failpoint may end the process before we freeze it.
        with contextlib.suppress(ServiceError):
            await asyncio.to_thread(target.pause)
            try:
                await asyncio.sleep(min(pause, STALL_SECONDS))
            finally:
                await asyncio.to_thread(target.resume)

    async def _end_server(self, server: ProductServer, fault: Fault) -> None:
        if fault.kind == "server stopped":
            await self._stop(server)
        else:
            with contextlib.suppress(ServiceError):
                await asyncio.to_thread(server.kill)
            await asyncio.sleep(fault.pause / 2)
        await self._start(server, failpoints=fault.failpoints)
        clock = asyncio.get_running_loop().time
        until = clock() + FAILPOINT_SECONDS
        while server.environment["FAILPOINTS"] and server.is_running and clock() < until:
            await asyncio.sleep(0.05)
        if not server.is_running:
            self._note_death(server)
            await self._start(server)

    async def _end_service(self, service: Server, fault: Fault) -> None:
        if fault.kind == "postgres restarted immediately":
            # What `pg_ctl stop -m immediate` does: no checkpoint, recovery at the next start.
            os.kill(service.pid, signal.SIGQUIT)
            while service.is_running:
                await asyncio.sleep(0.02)
        elif fault.kind == "postgres restarted fast":
            await asyncio.to_thread(service.stop)
        else:
            await asyncio.to_thread(service.kill)
        await asyncio.sleep(fault.pause)
        await asyncio.to_thread(service.restart)

    def _cut(self, fault: Fault) -> None:
        self.faults[fault.kind] += 1
        if self.chat is not None:
            self.chat.drop(fault.share, fault.pause * 2 if fault.kind == "clients away" else 0)

    # --- processes of the product

    async def _start(self, server: ProductServer, *, failpoints: str = "") -> None:
        """Start it, again if need be, as a supervisor would.

        It may pass its failpoint before it is ready, or find PostgreSQL restarting.
        """
        for attempt in range(STARTS):
            server.environment["FAILPOINTS"] = "" if attempt else failpoints
            try:
                await asyncio.to_thread(server.start)
            except ServiceError as error:
                if server.environment["FAILPOINTS"] and server.exit_code == -signal.SIGKILL:
                    self._note_death(server)
                    continue
                self.faults["server did not start at once"] += 1
                if attempt == STARTS - 1:
                    self._violation("server_did_not_start", str(error))
                await asyncio.sleep(0.5)
            else:
                break
        if self.chat is not None:
            self.chat.come_home(server.address)

    async def _stop(self, server: ProductServer) -> None:
        await asyncio.to_thread(server.stop)
        if server.exit_code == -signal.SIGKILL and not server.environment["FAILPOINTS"]:
            self._violation("server_would_not_stop", server.address)

    def _note_death(self, server: ProductServer) -> None:
        failpoints = server.environment["FAILPOINTS"]
        if failpoints and server.exit_code == -signal.SIGKILL:
            self.faults[f"died at {failpoints.partition(':')[0]}"] += 1
        else:
            tail = "\n".join(server.log.splitlines()[-30:])
            self._violation("server_died", f"exit code {server.exit_code}:\n{tail}")

    def _redis(self, command: Callable[[redis.Redis], object]) -> None:
        with redis.Redis(port=self.broker.port, socket_timeout=5) as client:
            command(client)

    def _violation(self, kind: str, detail: str) -> None:
        self.violations.append(Violation(kind, "", detail))
