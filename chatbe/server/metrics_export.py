"""`/metrics` for Prometheus, and what keeps its gauges true.

One process answers from its own memory. Of several workers any may be asked: each writes
into files of a directory that `serve` makes for every start (prometheus-client's
multiprocess mode), and whoever is asked adds them up. So that the others' files are never
older than a second, each worker brings its gauges up to date that often.
"""

import asyncio
import hmac
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import Http404, HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from common import background, metrics
from common.addresses import request_address
from common.errors import Forbidden, Unauthenticated
from common.rest.deferred import when_answered
from common.rest.errors import error_response
from conversations.log.writer import queued_messages
from realtime.node import current_node

REFRESH_SECONDS = 1.0
_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_WAIT_SECONDS = 5.0
_STARTED = time.time()


def metrics_page(request: HttpRequest) -> HttpResponse:
    """All metrics of all workers, for whoever may see them."""
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    _refresh_from_thread()
    return HttpResponse(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def values_of(*names: str) -> dict[str, int]:
    """What these metrics say now for all workers, whatever their labels."""
    found = dict.fromkeys(names, 0)
    for family in _registry().collect():
        for sample in family.samples:
            if sample.name in found:
                found[sample.name] += round(sample.value)
    return found


def _registry() -> CollectorRegistry:
    """The numbers of this process, or of all workers together."""
    directory = os.environ.get(_DIRECTORY)
    if not directory:
        return REGISTRY
    _forget_the_dead(Path(directory))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]
    return registry


def _refusal(request: HttpRequest) -> HttpResponse | None:
    token, addresses = settings.METRICS_TOKEN, settings.METRICS_ADDRESSES
    if not token and not addresses:
        if settings.PRODUCTION:
            raise Http404
        return None
    if token and _has_token(request, token):
        return None
    if addresses and _comes_from(request_address(request), addresses):
        return None
    return error_response(Unauthenticated() if token else Forbidden())


def _has_token(request: HttpRequest, token: str) -> bool:
    scheme, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())


def _comes_from(address: str | None, networks: list[str]) -> bool:
    return address is not None and any(
        ip_address(address) in ip_network(network.strip(), strict=False) for network in networks
    )


# --- gauges -------------------------------------------------------------------------------


def refresh() -> None:
    """Say how things are with this process now. On the node's event loop."""
    node = current_node()
    metrics.PROCESS_START.set(_STARTED)
    metrics.BACKGROUND_FAILING.set(len(background.failing()))
    metrics.GREETED_USERS.set(len(node.hub.users))
    metrics.QUEUED_MESSAGES.set(queued_messages())
    metrics.BUS_UP.set(node.bus.up)
    metrics.BUS_BEAT_AGE.set(node.bus.beat_age)
    metrics.LIMITS_SHARED.set(node.sharing.is_up)
    pool = getattr(connections[DEFAULT_DB_ALIAS], "pool", None)
    if pool is not None:
        found = pool.get_stats()
        metrics.DATABASE_CONNECTIONS.set(found["pool_size"] - found["pool_available"])
        metrics.DATABASE_WAITS.set(found["requests_waiting"])
    metrics.COMMANDS.flush()


def keep_fresh() -> list[asyncio.Task[None]]:
    """Refresh every second where another worker may be asked for our numbers: what does that."""
    return [background.run_loop("metrics", _refresh_again)] if os.environ.get(_DIRECTORY) else []


async def _refresh_again() -> None:
    refresh()
    await asyncio.sleep(REFRESH_SECONDS)


def _refresh_from_thread() -> None:
    done: Future[None] = Future()

    def run() -> None:
        try:
            refresh()
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    current_node().loop.call_soon_threadsafe(run)
    done.result(timeout=_WAIT_SECONDS)


# --- several workers ----------------------------------------------------------------------


@contextmanager
def metrics_directory(workers: int) -> Iterator[None]:
    """Where the workers of one start write their metrics; one worker needs none."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="chatbe-metrics-") as directory:
        os.environ[_DIRECTORY] = directory
        try:
            yield
        finally:
            del os.environ[_DIRECTORY]


def _forget_the_dead(directory: Path) -> None:
    """Remove the gauges of workers that are gone; what they counted stays."""
    for file in directory.glob("gauge_live*.db"):
        found = re.fullmatch(r"gauge_live\w+?_(\d+)\.db", file.name)
        if found is not None and not _is_alive(int(found[1])):
            mark_process_dead(int(found[1]), str(directory))  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# --- requests -----------------------------------------------------------------------------


class RequestMetricsMiddleware:
    """Counts requests and their time by the template of their route."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self._get_response(request)
        match = request.resolver_match
        route = f"/{match.route}" if match is not None else "none"

        def note(answered: HttpResponse) -> None:
            seconds = time.perf_counter() - started
            metrics.count_request(route, request.method or "", answered.status_code, seconds)

        when_answered(response, note)
        return response
