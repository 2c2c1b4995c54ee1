"""What the log is told of exceptions: never their messages, which may quote what people sent."""

import threading
import time
import traceback


def describe(exc: BaseException) -> dict[str, str]:
    """An exception for the log, without its message: types and places."""
    kinds: list[str] = []
    link: BaseException | None = exc
    while link is not None and len(kinds) < 5:
        kinds.append(type(link).__qualname__)
        link = link.__cause__ or link.__context__
    frames = traceback.extract_tb(exc.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": " from ".join(kinds), "places": "\n".join(places)}


class LogThrottle:
    """Lets one line through every `seconds`, for what others can cause as often as they like."""

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._next_at = float("-inf")
        self._suppressed = 0
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """None if this line is one too many, else how many were suppressed since the last."""
        with self._lock:
            now = time.monotonic()
            if now < self._next_at:
                self._suppressed += 1
                return None
            self._next_at = now + self._seconds
            suppressed, self._suppressed = self._suppressed, 0
            return suppressed
