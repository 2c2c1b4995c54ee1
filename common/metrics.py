"""All metrics there are; `docs/metrics.md` is the table of them.

Names and units follow Prometheus' conventions, and every label has a bounded set of
values: names from our own tables, never anything a client sends. What happens for every
message is counted for a batch at once (`observe_all`, `inc(n)`) or in a plain dict that
is emptied every second (`TalliedCounter`).

With several workers each writes into files of a directory that `serve` prepares, and any
of them can answer for all; gauges therefore say how the workers' values become one.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class BatchHistogram(Histogram):
    """A histogram that takes many values at the price of a few."""

    def observe_all(self, values: Sequence[float]) -> None:
        """Observe each of them."""
        ordered = sorted(values)
        below = 0
        for bound, bucket in zip(self._upper_bounds, self._buckets, strict=True):
            end = bisect_right(ordered, bound)
            if end > below:
                bucket.inc(end - below)
                if end == len(ordered):
                    break
                below = end
        self._sum.inc(sum(ordered))


class TalliedCounter:
    """A counter with labels for what happens all the time: a dict in between costs a tenth.

    Not for several threads.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._tally: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def count(self, *labels: str) -> None:
        """One more with these values of the labels."""
        self._tally[labels] += 1

    def flush(self) -> None:
        """Hand over what was counted."""
        tally, self._tally = self._tally, defaultdict(int)
        for labels, number in tally.items():
            self._counter.labels(*labels).inc(number)


# --- the process ------------------------------------------------------------------------

PROCESS_START = Gauge(
    "chat_process_start_time_seconds",
    "Start time of the process, in seconds since 1970; with several workers, one series per pid.",
    multiprocess_mode="liveall",
)
BACKGROUND_FAILURES = Counter(
    "chat_background_failures_total",
    "Unexpected exceptions in background work, by the name of the work; the work continued.",
    ["work"],
)
BACKGROUND_FAILING = Gauge(
    "chat_background_failing",
    "Background loops that are failing at the moment; `/readyz` names them.",
    multiprocess_mode="livesum",
)

# --- sockets ----------------------------------------------------------------------------

SOCKETS = Gauge("chat_sockets", "Open sockets, authenticated or not.", multiprocess_mode="livesum")
GREETED_USERS = Gauge(
    "chat_greeted_users",
    "Users with an authenticated socket; a user with sockets on two processes counts twice.",
    multiprocess_mode="livesum",
)
HELLOS = Counter(
    "chat_hellos_total",
    "Hellos, by kind (first, or again if the client sent an epoch) and by outcome: welcome,"
    " or the error code.",
    ["kind", "outcome"],
)
_COMMANDS = Counter(
    "chat_commands_total",
    "Socket commands, by type and by whether they were accepted (taken) or refused at once."
    " chat_messages_total counts what the log refuses later.",
    ["command", "outcome"],
)
COMMANDS = TalliedCounter(_COMMANDS)
ERRORS = Counter(
    "chat_errors_total",
    "Errors returned to clients, by API (rest or socket) and code.",
    ["door", "code"],
)
RESYNCS = Counter("chat_resyncs_total", "Sockets that read too slowly and were told to resync.")
SLOW_CLOSES = Counter(
    "chat_slow_closes_total", "Sockets that were closed because they did not read."
)
LOGINS_FAILED = Counter(
    "chat_logins_failed_total",
    "Refused logins, by error code; chat_limits_hit_total counts those refused by a limit.",
    ["code"],
)
LIMITS_HIT = Counter("chat_limits_hit_total", "Refusals by a limit, by its name.", ["limit"])
HTTP_DROPPED = Counter(
    "chat_http_dropped_total",
    "Requests that were answered or dropped before they were complete, by reason: the status"
    " of the answer, what was not received or read in time, or which total was exceeded.",
    ["reason"],
)
LIMITS_SHARED = Gauge(
    "chat_limits_shared",
    "1 while limits are counted together with the other processes, 0 while Redis is down.",
    multiprocess_mode="livemin",
)

# --- the message log --------------------------------------------------------------------

MESSAGES = Counter(
    "chat_messages_total",
    "Messages submitted to the log, by outcome: stored, known (a retry of a stored message),"
    " or the error code.",
    ["outcome"],
)
BATCH_MESSAGES = Histogram(
    "chat_batch_messages",
    "Messages committed in one batch.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
ACK_SECONDS = BatchHistogram(
    "chat_ack_seconds",
    "Time from accepting a message, over either API, to answering it after the commit.",
    buckets=_SECONDS,
)
QUEUED_MESSAGES = Gauge(
    "chat_queued_messages", "Messages waiting for a batch.", multiprocess_mode="livesum"
)

# --- delivery ---------------------------------------------------------------------------

DELIVERY_SECONDS = Histogram(
    "chat_delivery_seconds",
    "Time from a batch's commit on one process to the delivery of its events on another, by"
    " the clocks of both.",
    buckets=_SECONDS,
)
HOLES_FILLED = Counter(
    "chat_holes_filled_total", "Conversations whose missing events were read from the database."
)
LOGS_MOVED_BACK = Counter(
    "chat_logs_moved_back_total",
    "Conversations whose log lost its end in the database; their sockets received a reset.",
)
SWEEP_REPAIRS = Counter(
    "chat_sweep_repairs_total",
    "Changes that the sweep found and no notification had announced: conversations, users,"
    " memberships, sessions.",
    ["kind"],
)
BUS_UP = Gauge(
    "chat_bus_up",
    "1 while notifications travel between the processes (always with a single process), else 0.",
    multiprocess_mode="livemin",
)
BUS_REFUSED = Counter(
    "chat_bus_refused_total", "Messages on the bus that came from something else or were malformed."
)
BUS_BEAT_AGE = Gauge(
    "chat_bus_beat_age_seconds",
    "Time since the process last received its own heartbeat through Redis.",
    multiprocess_mode="livemax",
)

# --- presence ---------------------------------------------------------------------------

PRESENCE_ONLINE = Gauge(
    "chat_presence_online_users",
    "Users who are online, over all processes.",
    multiprocess_mode="livemax",
)
PRESENCE_TRANSITIONS = Counter(
    "chat_presence_transitions_total",
    "Users who came online or went offline, counted by the process that announced it.",
    ["to"],
)
PRESENCE_REPAIRS = Counter(
    "chat_presence_repairs_total",
    "Presence changes that a user had missed and the check delivered.",
)

# --- bots -------------------------------------------------------------------------------

BOT_QUESTIONS = Counter("chat_bot_questions_total", "Questions to bots that were found in the log.")
BOT_ASKED = Counter("chat_bot_asked_total", "Questions sent to a provider, each counted once.")
BOT_ANSWERS = Counter(
    "chat_bot_answers_total",
    "Finished questions, by outcome: how they ended, or what was wrong with the provider.",
    ["outcome"],
)
BOT_SECONDS = Histogram(
    "chat_bot_answer_seconds",
    "Time from asking a provider to the end of its answer.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160),
)

# --- queues ------------------------------------------------------------------------------

QUEUE_LENGTH = Gauge(
    "chat_queue_length",
    "What is waiting: requests for a slot, commands for a thread, passwords to be hashed,"
    " arriving sockets for a read (arrivals), and writes for many users at once (background).",
    ["queue"],
    multiprocess_mode="livesum",
)
QUEUE_REFUSALS = Counter(
    "chat_queue_refusals_total",
    "What was refused as unavailable, by queue and reason: full, or late if its turn did not"
    " come in time.",
    ["queue", "reason"],
)

# --- REST and the database --------------------------------------------------------------

HTTP_REQUESTS = Counter(
    "chat_http_requests_total",
    "HTTP requests, by route template (none if no route matches), method and status.",
    ["route", "method", "status"],
)
HTTP_SECONDS = Histogram(
    "chat_http_request_seconds",
    "Time to answer HTTP requests, by route template and method.",
    ["route", "method"],
    buckets=_SECONDS,
)
DATABASE_CONNECTIONS = Gauge(
    "chat_database_connections_in_use",
    "Connections of the PostgreSQL pools that are in use.",
    multiprocess_mode="livesum",
)
DATABASE_WAITS = Gauge(
    "chat_database_waiting", "Callers waiting for a connection.", multiprocess_mode="livesum"
)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_request(route: str, method: str, status: int, seconds: float) -> None:
    """Count an HTTP request by the template of its route."""
    method = method if method in _METHODS else "other"
    HTTP_REQUESTS.labels(route, method, str(status)).inc()
    HTTP_SECONDS.labels(route, method).observe(seconds)


def declared() -> list[MetricWrapperBase]:
    """Every metric above, in its order."""
    return [value for value in globals().values() if isinstance(value, MetricWrapperBase)]
