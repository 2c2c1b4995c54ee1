"""The bus over a Channels layer.

Redis may stand still, and nobody waits for it: publishing is a bounded queue that drops the
oldest. The layer says neither that Redis is lost nor who else is there, so each process sends
a beat to all every second. One that does not receive its own knows that the bus is down; when
it is back, what was missed is swept up at once. One that receives nobody else's is alone and
need publish nothing.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import structlog
from channels.layers import InMemoryChannelLayer, get_channel_layer

from common import background, metrics
from common.error_log import LogThrottle
from common.redis_errors import is_away
from realtime.bus import Bus, LocalBus, Receiver

BEAT_SECONDS = 1.0
DOWN_AFTER_SECONDS = 3.5
LAYER_TIMEOUT_SECONDS = 5.0
JOIN_SECONDS = 1.0
STOP_SECONDS = 1.0
# A bus that is down for so long is opened anew, again and again.
REOPEN_SECONDS = 15.0
QUEUE_MAX = 10_000
MESSAGES_PER_TURN = 32
REFUSED_SECONDS = 0.001
BEATS_TOPIC = "beats"
# So many of its own beats a process hears, and no other between them, before it is alone.
ALONE_AFTER_BEATS = 4

log = structlog.get_logger(__name__)


def make_bus() -> Bus:
    """The bus that fits the configured channel layer."""
    layer = get_channel_layer()
    if layer is None or isinstance(layer, InMemoryChannelLayer):
        return LocalBus()
    return LayerBus(layer)


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
        self._opened = asyncio.Event()
        self._channel = ""
        self._received = 0
        self._refused_log, self._unreachable_log = LogThrottle(), LogThrottle()
        self._reopen_at = asyncio.get_running_loop().time() + REOPEN_SECONDS
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
        self._take, self._came_back = receive, came_back
        self._receiving = background.run_loop("bus_receive", self._receive)
        self._tasks = [
            background.run_loop("bus_publish", self._publish_queued),
            background.run_loop("bus_beat", self._beat),
            background.run_loop("bus_join", self._keep_joined),
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
        if self._settled.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(JOIN_SECONDS):
                await self._settled.wait()

    async def stop(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_sent.wait(), STOP_SECONDS)
        # In this order: one of the tasks may be about to begin receiving anew.
        await background.cancel(self._tasks)
        await background.cancel([self._receiving])

    # --- what goes on in the background, a step at a time -----------------------------------

    async def _publish_queued(self) -> None:
        await self._queued.wait()
        while self._queue:
            topic, message = self._queue.popleft()
            try:
                async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                    await self._layer.group_send(topic, message)
            except Exception as error:
                if not is_away(error):
                    raise
                log.debug("publish_failed", error=type(error).__name__)
        self._queued.clear()
        self._all_sent.set()

    async def _receive(self) -> None:
        if not self._opened.is_set():
            await self._open()
        try:
            message = await self._layer.receive(self._channel)
        except Exception as error:
            if is_away(error):
                log.warning("receive_failed", error=type(error).__name__)
                await asyncio.sleep(BEAT_SECONDS)
                return
            # What is in Redis is untrusted input: a message we cannot read is no message.
            self._refuse(error)
            message = None
        self._received += 1
        if self._received % MESSAGES_PER_TURN == 0:
            # What is there already comes without waiting: others want to go on as well, and a
            # layer that raises whenever it is asked must not take all the time there is.
            await asyncio.sleep(0 if message is not None else REFUSED_SECONDS)
        if message is not None:
            self._hear(message)

    async def _open(self) -> None:
        """Get this process's channel; whoever needs it waits for `_opened`."""
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                self._channel = await self._layer.new_channel()
        except Exception as error:
            if not is_away(error):
                raise
            if self._unreachable_log.take() is not None:
                log.warning("bus_unreachable", error=type(error).__name__)
            await asyncio.sleep(BEAT_SECONDS)
        else:
            self._opened.set()

    def _hear(self, message: Any) -> None:
        try:
            if message.get("type") == "beat":
                self._hear_beat(message.get("of"))
            else:
                self._take(message)
        except Exception as error:
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        metrics.BUS_REFUSED.inc()
        suppressed = self._refused_log.take()
        if suppressed is not None:
            log.warning("bus_message_refused", error=type(error).__name__, suppressed=suppressed)

    def _hear_beat(self, channel: Any) -> None:
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
            background.call("bus_came_back", self._came_back)
        self._beats_alone += 1

    async def _beat(self) -> None:
        await self._check_beat()
        if not self._opened.is_set() or not self.up:
            # Not before it can be heard.
            await self._opened.wait()
            await self.settled()
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                beat = {"type": "beat", "of": self._channel}
                await self._layer.group_send(BEATS_TOPIC, beat)
        except Exception as error:
            if not is_away(error):
                raise
            log.debug("beat_failed", error=type(error).__name__)
        await asyncio.sleep(BEAT_SECONDS)

    async def _check_beat(self) -> None:
        """See whether what this process said of itself came back."""
        now = asyncio.get_running_loop().time()
        if self.up and self.beat_age > DOWN_AFTER_SECONDS:
            self.up = False
            # What it cannot hear may be there.
            self._beats_alone = 0
            self._reopen_at = self._last_beat + REOPEN_SECONDS
            log.warning("bus_down")
        elif not self.up and now > self._reopen_at:
            self._reopen_at = now + REOPEN_SECONDS
            await self._reopen()

    async def _reopen(self) -> None:
        """Begin anew: the layer's own listening may have ended, or Redis have forgotten us."""
        self._opened.clear()
        self._joined.clear()
        self._settled.clear()
        self._changed.set()
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                await self._layer.flush()
        except Exception as error:
            if not is_away(error):
                raise
            log.debug("reopen_failed", error=type(error).__name__)
        finally:
            # Whatever happened: one that waits for the old channel opens no new one.
            self._receiving.cancel()
            self._receiving = background.run_loop("bus_receive", self._receive)

    async def _keep_joined(self) -> None:
        await self._opened.wait()
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                for topic in self._wanted.keys() - self._joined:
                    await self._layer.group_add(topic, self._channel)
                    self._joined.add(topic)
                for topic in self._joined - self._wanted.keys():
                    await self._layer.group_discard(topic, self._channel)
                    self._joined.discard(topic)
        except Exception as error:
            if not is_away(error):
                raise
            log.debug("join_failed", error=type(error).__name__)
            await asyncio.sleep(BEAT_SECONDS)
            return
        if self._wanted.keys() == self._joined:
            self._settled.set()
            await self._changed.wait()
            self._changed.clear()
