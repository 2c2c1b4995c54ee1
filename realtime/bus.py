"""The bus: notifications between the processes.

A notification may be lost, late or repeated. Nobody waits for the bus; joining a topic is a
wish that a background task fulfils.
"""

from collections.abc import Callable
from typing import Any, Protocol

Receiver = Callable[[dict[str, Any]], None]


class Bus(Protocol):
    """Carries small messages to every process that joined a topic, this one included."""

    up: bool

    @property
    def shared(self) -> bool:
        """Whether there may be other processes to tell."""

    @property
    def beat_age(self) -> float:
        """Seconds since this process last heard itself through the bus."""

    def start(self, receive: Receiver, came_back: Callable[[], None]) -> None:
        """Begin; `receive` gets messages, `came_back` is called when the bus is up again."""

    def publish(self, topic: str, message: dict[str, Any]) -> None:
        """Send a message, some time, perhaps. Its `type` is the receiver's business."""

    def join(self, topic: str) -> None:
        """Want a topic's messages; counted, so that each join needs one `leave`."""

    def leave(self, topic: str) -> None:
        """Want a topic's messages once less."""

    async def settled(self) -> None:
        """Wait until the wanted topics are joined, at most JOIN_SECONDS."""

    async def stop(self) -> None:
        """Send what is queued if that is quick, and end."""


class LocalBus:
    """The bus of a process that is alone: there is nobody to tell."""

    up = True
    shared = False
    beat_age = 0.0

    def start(self, receive: Receiver, came_back: Callable[[], None]) -> None:
        pass

    def publish(self, topic: str, message: dict[str, Any]) -> None:
        pass

    def join(self, topic: str) -> None:
        pass

    def leave(self, topic: str) -> None:
        pass

    async def settled(self) -> None:
        pass

    async def stop(self) -> None:
        pass
