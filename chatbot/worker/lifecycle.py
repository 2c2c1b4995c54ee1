"""Starting and stopping the worker of this process."""

import threading

from django.conf import settings

from chatbot.worker.election import Election
from chatbot.worker.worker import BotWorker

_worker: BotWorker | None = None
_election: Election | None = None
_starting = threading.Lock()


def start_worker(*, dedicated: bool = False) -> None:
    """Start this process's worker, unless it runs already.

    On PostgreSQL one server is elected to answer, and a dedicated worker comes before it.
    """
    global _worker, _election
    with _starting:
        if _worker is not None:
            return
        _worker = BotWorker()
        _worker.start()
        if has_election():
            _election = Election(_worker.take_on, dedicated=dedicated)
            _election.start()
        else:
            _worker.take_on(True)


def stop_worker() -> None:
    """Stop it; returns once what was being answered is in the log."""
    global _worker, _election
    with _starting:
        election, _election = _election, None
        worker, _worker = _worker, None
        try:
            if election is not None:
                election.stop()
        finally:
            if worker is not None:
                worker.stop()


def has_election() -> bool:
    """Whether there may be several processes that could answer."""
    return str(settings.DATABASES["default"]["ENGINE"]).endswith("postgresql")


def belongs_in_server() -> bool:
    """Whether the server's process may be the worker's as well: always where it is alone."""
    return not has_election() or bool(settings.CHATBOT_WORKER_IN_SERVER)
