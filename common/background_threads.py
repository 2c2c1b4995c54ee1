"""Background work in threads of its own, watched as all other (`common.background`)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from common.background import Watched, report


def run_thread(
    name: str, step: Callable[[], object], stopping: threading.Event | None = None
) -> threading.Thread:
    """Do `step` again and again in a thread of its own, until `stopping` is set."""
    stopping = stopping or threading.Event()
    return _start(name, lambda: repeat(name, step, stopping))


def repeat(name: str, step: Callable[[], object], stopping: threading.Event) -> None:
    """The same in this thread."""
    watched = Watched(name)
    try:
        while not stopping.is_set():
            try:
                step()
            except BaseException as error:
                stopping.wait(watched.failed(error))
            else:
                watched.worked()
    finally:
        watched.ended()


def spawn_thread(name: str, work: Callable[[], object]) -> threading.Thread:
    """Run `work` in a thread of its own, once. Raises RuntimeError when there can be no more."""

    def run() -> None:
        try:
            work()
        except BaseException as error:
            report(name, error)

    return _start(name, run)


def _start(name: str, target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread
