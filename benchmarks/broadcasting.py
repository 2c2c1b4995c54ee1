"""The C broadcast server (c/broadcast.c) and its clients: frames of one size, no headers."""

import asyncio
import signal
import socket
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

from benchmarks.webserver import PROJECT
from tools import programs
from tools.server import Server

# The size of our event with its WebSocket header.
FRAME_BYTES = 388
SOURCE = PROJECT / "benchmarks" / "c" / "broadcast.c"


def build(folder: Path) -> Path:
    """Compile the program into this folder; returns its path."""
    program = folder / "broadcast"
    compiler = programs.locate("cc")
    subprocess.run([compiler, "-O2", "-Wall", "-Werror", "-o", program, SOURCE], check=True)
    return program


class Broadcast(Server):
    """One thread, one send() for each frame and socket."""

    title = "The broadcast server"
    account = ""
    stop_signal = signal.SIGTERM
    discard_signal = signal.SIGTERM

    def __init__(self, program: Path, *, cpus: str | None) -> None:
        super().__init__(cpus=cpus)
        self._program = program

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def _create(self) -> None:
        pass  # it needs nothing in its folder but its log

    def _login(self) -> None:
        """As ourselves, who built it."""

    def _command(self) -> list[str]:
        return [str(self._program), str(self.port), str(FRAME_BYTES)]

    def _answers(self, pid: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True


class Listener(asyncio.Protocol):
    """Counts what arrives. A talker sends its next frame when one of its own comes back."""

    transport: asyncio.Transport

    def __init__(self, number: int) -> None:
        self.received_bytes = 0
        self.sent = 0
        self.faults: Counter[str] = Counter()
        self._frame = b"%08d" % number + b"." * (FRAME_BYTES - 8)
        self._is_sending = False
        self._is_closing = False
        self._rest = b""

    @property
    def delivered(self) -> int:
        return self.received_bytes // FRAME_BYTES

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        if self._is_sending:
            # Frames are digits and dots, so that none begins within another.
            data = self._rest + data
            whole = len(data) // FRAME_BYTES * FRAME_BYTES
            self._send(data.count(self._frame, 0, whole))
            self._rest = data[whole:]

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_closing:
            self.faults["connection lost"] += 1

    def start(self, in_flight: int) -> None:
        self._is_sending = True
        self._send(in_flight)

    def stop(self) -> None:
        self._is_sending = False

    def close(self) -> None:
        self._is_closing = True
        self.transport.abort()

    def _send(self, frames: int) -> None:
        if frames:
            self.sent += frames
            self.transport.write(self._frame * frames)


async def connect(url: str, sockets: int) -> list[Listener]:
    host, port = url.removeprefix("tcp://").split(":")
    loop = asyncio.get_running_loop()
    listeners = []
    for number in range(sockets):
        transport, listener = await loop.create_connection(
            partial(Listener, number), host, int(port)
        )
        listener.transport = transport
        listeners.append(listener)
    return listeners
