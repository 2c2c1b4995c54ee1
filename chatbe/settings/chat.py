"""The message log and delivery."""

from chatbe.settings.declare import section, setting

section("The message log and delivery")

LOG_TOPICS = setting(
    "LOG_TOPICS",
    int,
    1,
    "shards",
    (
        "parts of the conversation space, each a topic in Redis; the same for all processes. "
        "More of them spare a process what it has no socket for, and cost a publish each ([ADR "
        "0004](adr/0004-one-lane-and-one-topic.md))"
    ),
    production="at least 1",
)
WRITER_THREADS = setting(
    "WRITER_THREADS",
    int,
    1,
    "threads per process",
    (
        "which commit messages, each with one connection. More of them help where a commit "
        "takes long (a distant database)"
    ),
    production="at least 1, at most `LOG_TOPICS`",
)
LOG_BATCH_MAX = setting(
    "LOG_BATCH_MAX",
    int,
    256,
    "messages",
    "the most that are committed together",
)
LOG_QUEUE_MAX = setting(
    "LOG_QUEUE_MAX",
    int,
    20_000,
    "messages per worker",
    "more that wait are refused with `unavailable`",
)
LOG_UNKNOWN_OUTCOME_SECONDS = setting(
    "LOG_UNKNOWN_OUTCOME_SECONDS",
    float,
    10.0,
    "seconds",
    (
        "how long a writer worker tries to find out whether a batch was committed; no attempt "
        "takes longer, and a line on which nothing is acknowledged for this long is cut "
        "(`tcp_user_timeout`)"
    ),
)
RECEIPT_SECONDS = setting(
    "RECEIPT_SECONDS",
    float,
    1.0,
    "seconds",
    "read and delivered pointers are written together, at most once in this time per process",
)
SWEEP_SECONDS = setting(
    "SWEEP_SECONDS",
    float,
    5.0,
    "seconds",
    "how often a process looks for what no notification said, give or take a fifth",
)
MEMBERSHIP_SWEEP_SECONDS = setting(
    "MEMBERSHIP_SWEEP_SECONDS",
    float,
    30.0,
    "seconds",
    (
        "within this time a process compares the memberships of all its users with where their "
        "sockets listen, some of them in each sweep"
    ),
)
SYNC_SECONDS = setting(
    "SYNC_SECONDS",
    float,
    60.0,
    "seconds",
    (
        "how long a socket may take from its first `sync` frame to the last, and from there to "
        "`live`; then it gets `resync` and goes on from where it is"
    ),
)
SYNC_CURSORS_MAX = setting(
    "SYNC_CURSORS_MAX",
    int,
    10_000,
    "cursors",
    "the most that a socket sends before its `sync` is done; what has no cursor is announced",
)
REPLAY_MAX = setting(
    "REPLAY_MAX",
    int,
    500,
    "changes",
    "a client further behind loads its conversation by REST",
)
PAGE_BYTES = setting(
    "PAGE_BYTES",
    int,
    512 * 1024,
    "bytes",
    "the texts of one page, range or list together; at least one is in it",
)
RETENTION_DIRECT_DAYS = setting(
    "RETENTION_DIRECT_DAYS",
    int,
    0,
    "days",
    (
        "[`manage.py apply_retention`](commands.md#retention) empties messages of direct "
        "conversations that are older; 0 keeps them for ever"
    ),
)
RETENTION_GROUP_DAYS = setting(
    "RETENTION_GROUP_DAYS",
    int,
    0,
    "days",
    "the same for groups",
)
