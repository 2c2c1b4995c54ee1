"""The bus: hints between the processes, through the channel layer.

A hint may be lost, late or repeated, and Redis may stand still: nobody here waits
for it. Publishing is a bounded queue that drops the oldest; joining a topic is a wish
that a background task fulfils.

The layer does not tell of a lost Redis, nor who else is there: each process sends a beat
to all every second. One that does not hear its own knows that the bus is down; when it
comes back, what was missed is swept up at once. One that hears nobody else's is alone and
need tell nobody anything.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from channels.layers import InMemoryChannelLayer, get_channel_layer

BEAT_SECONDS = 1.0
DOWN_AFTER_SECONDS = 3.5
LAYER_TIMEOUT_SECONDS = 5.0
JOIN_SECONDS = 1.0
STOP_SECONDS = 1.0
QUEUE_MAX = 10_000
BEATS_TOPIC = "beats"
# So many of its own beats a process hears, and no other between them, before it is alone.
ALONE_AFTER_BEATS = 4

log = structlog.get_logger(__name__)

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


def make_bus() -> Bus:
    """The bus that fits the configured channel layer."""
    layer = get_channel_layer()
    if layer is None or isinstance(layer, InMemoryChannelLayer):
        return LocalBus()
    return LayerBus(layer)


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


class LayerBus:
    """The bus over a Channels layer. Runs on one event loop."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._wanted: Counter[str] = Counter([BEATS_TOPIC])
        self._joined: set[str] = set()
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._queue: deque[tuple[str, dict[str, Any]]] = deque(maxlen=QUEUE_MAX)
        self._queued = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._all_sent.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._channel = ""
        self._last_beat = asyncio.get_running_loop().time()
        # Own beats since the last one of another process.
        self._beats_alone = 0
        self.up = False

    @property
    def shared(self) -> bool:
        return self._beats_alone < ALONE_AFTER_BEATS

    @property
    def beat_age(self) -> float:
        return asyncio.get_running_loop().time() - self._last_beat

    def start(self, receive: Receiver, came_back: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._listen(receive, came_back)),
            loop.create_task(self._publish_queued()),
        ]

    def publish(self, topic: str, message: dict[str, Any]) -> None:
        self._queue.append((topic, message))
        self._all_sent.clear()
        self._queued.set()

    def join(self, topic: str) -> None:
        self._wanted[topic] += 1
        if self._wanted[topic] == 1:
            self._settled.clear()
            self._changed.set()

    def leave(self, topic: str) -> None:
        self._wanted[topic] -= 1
        if self._wanted[topic] == 0:
            del self._wanted[topic]
            self._changed.set()

    async def settled(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), JOIN_SECONDS)

    async def stop(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_sent.wait(), STOP_SECONDS)
        # A layer that is cancelled cleans up in Redis, which may stand still: then once more.
        for _ in range(2):
            for task in self._tasks:
                task.cancel()
            with contextlib.suppress(TimeoutError):
                ended = asyncio.gather(*self._tasks, return_exceptions=True)
                await asyncio.wait_for(asyncio.shield(ended), STOP_SECONDS)
                return

    async def _publish_queued(self) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                topic, message = self._queue.popleft()
                try:
                    async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                        await self._layer.group_send(topic, message)
                except Exception as error:
                    log.debug("publish_failed", error=type(error).__name__)
            self._all_sent.set()

    async def _listen(self, receive: Receiver, came_back: Callable[[], None]) -> None:
        """Open this process's channel, then receive, beat and join until cancelled."""
        while not self._channel:
            try:
                async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                    self._channel = await self._layer.new_channel()
            except Exception as error:
                log.warning("bus_unreachable", error=type(error).__name__)
                await asyncio.sleep(BEAT_SECONDS)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._receive(receive, came_back))
            group.create_task(self._beat())
            group.create_task(self._keep_joined())

    async def _receive(self, receive: Receiver, came_back: Callable[[], None]) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
            except Exception as error:
                log.warning("receive_failed", error=type(error).__name__)
                await asyncio.sleep(BEAT_SECONDS)
                continue
            if message.get("type") == "beat":
                self._hear_beat(message.get("of"), came_back)
                continue
            try:
                receive(message)
            except Exception as error:
                # What is in Redis is untrusted input: a message we cannot read is no message.
                log.warning("bus_message_refused", error=type(error).__name__)

    def _hear_beat(self, channel: Any, came_back: Callable[[], None]) -> None:
        if channel != self._channel:
            self._beats_alone = 0
            return
        # Who stood still for long was not there for the others, and may have missed something.
        away = not self.up or self.beat_age > DOWN_AFTER_SECONDS
        self._last_beat = asyncio.get_running_loop().time()
        if away:
            self.up = True
            self._beats_alone = 0
            log.info("bus_up")
            came_back()
        self._beats_alone += 1

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        # Not before it can be heard.
        await self.settled()
        while True:
            try:
                async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                    beat = {"type": "beat", "of": self._channel}
                    await self._layer.group_send(BEATS_TOPIC, beat)
            except Exception as error:
                log.debug("beat_failed", error=type(error).__name__)
            await asyncio.sleep(BEAT_SECONDS)
            if self.up and loop.time() - self._last_beat > DOWN_AFTER_SECONDS:
                self.up = False
                # What it cannot hear may be there.
                self._beats_alone = 0
                log.warning("bus_down")

    async def _keep_joined(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                    for topic in self._wanted.keys() - self._joined:
                        await self._layer.group_add(topic, self._channel)
                        self._joined.add(topic)
                    for topic in self._joined - self._wanted.keys():
                        self._joined.discard(topic)
                        await self._layer.group_discard(topic, self._channel)
            except Exception as error:
                log.debug("join_failed", error=type(error).__name__)
                await asyncio.sleep(BEAT_SECONDS)
                continue
            if self._wanted.keys() == self._joined:
                self._settled.set()
                await self._changed.wait()
                self._changed.clear()
