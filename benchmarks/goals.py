"""The goals: which figure of which workload must reach what."""

from typing import Literal, NamedTuple

Better = Literal["higher", "lower"]


class Goal(NamedTuple):
    """`ours` and `theirs` are (side, key) in the record of `workload`.

    With `theirs`, the target is a ratio: ours divided by theirs. Without, it is the figure itself.
    """

    figure: str
    workload: str
    ours: tuple[str, str]
    theirs: tuple[str, str] | None
    target: float
    better: Better = "higher"


GOALS: tuple[Goal, ...] = (
    Goal("private chat, beside naive", "pairs", ("ours", "acked"), ("naive", "acked"), 80),
    Goal(
        "private chat, 4 messages in flight beside 1",
        "busy",
        ("four", "acked"),
        ("one", "acked"),
        1.5,
    ),
    Goal("group of 200, beside naive", "fanout", ("ours", "delivered"), ("naive", "delivered"), 25),
    Goal(
        "server CPU per delivered frame, 2,000 members beside 10",
        "group_sizes",
        ("ours", "delivery_us_2000"),
        ("ours", "delivery_us_10"),
        1.0,
        "lower",
    ),
    Goal(
        "connecting with 1,000 conversations, server CPU in ms",
        "connect_cost",
        ("ours", "new_ms"),
        None,
        100,
        "lower",
    ),
    Goal(
        "durable writer of 64, beside single-row INSERTs of 16 pgbench clients",
        "writer",
        ("ours", "written"),
        ("pgbench", "written"),
        2,
    ),
    Goal(
        "ack p50 of two users in ms, beside one pgbench client with the same append",
        "latency",
        ("ours", "p50"),
        ("pgbench", "p50"),
        4,
        "lower",
    ),
    Goal(
        "server CPU per delivered frame, group of 200, beside C",
        "broadcast",
        ("ours", "one_us"),
        ("c", "one_us"),
        1.6,
        "lower",
    ),
    Goal(
        "… coalesced",
        "broadcast",
        ("ours", "many_us"),
        ("c", "many_us"),
        1,
        "lower",
    ),
    Goal(
        "inbound command through the consumer, commands/s beside stock Channels on uvicorn",
        "inbound",
        ("ours", "commands"),
        ("channels", "commands"),
        6,
    ),
    Goal(
        "embedded default (SQLite), private chat, beside naive on SQLite",
        "embedded",
        ("ours", "acked"),
        ("naive", "acked"),
        20,
    ),
    Goal(
        "embedded default (SQLite), private chat, messages/s",
        "embedded",
        ("ours", "acked"),
        None,
        5_000,
    ),
    # What two processes achieve depends on how many processors they have.
    Goal(
        "two web processes beside one, on two processors for all",
        "processes",
        ("two", "shared_acked"),
        ("one", "shared_acked"),
        1,
    ),
    Goal(
        "two web processes beside one, on two processors",
        "processes",
        ("two", "apart_acked"),
        ("one", "apart_acked"),
        1.5,
    ),
    Goal(
        "history page at 10 M messages, beside 10 k",
        "history",
        ("ours", "page_p50_large"),
        ("ours", "page_p50_small"),
        1.3,
        "lower",
    ),
    Goal(
        "2,000 dropped at once, live again, p99 in ms",
        "storm",
        ("ours", "live_p99"),
        None,
        10_000,
        "lower",
    ),
    Goal("2,000 dropped at once, failed attempts", "storm", ("ours", "errors"), None, 0, "lower"),
    Goal(
        "2,000 dropped at once, others' ack p99, beside before",
        "storm",
        ("ours", "meanwhile_p99"),
        ("ours", "before_p99"),
        3,
        "lower",
    ),
    Goal(
        "from ticket to live, a second, beside naive's plain connect",
        "logins",
        ("ours", "connects"),
        ("naive", "connects"),
        0.5,
    ),
    Goal(
        "idle memory per connection, beside a stock Channels consumer",
        "idle",
        ("ours", "kilobytes"),
        ("channels", "kilobytes"),
        1,
        "lower",
    ),
    Goal(
        "first page of a list of 1,000 conversations, beside one of 50",
        "lists",
        ("ours", "first_p50_many"),
        ("ours", "first_p50_few"),
        2,
        "lower",
    ),
    Goal(
        "a user comes online, until a contact is notified, p99 in ms",
        "presence",
        ("ours", "online_p99"),
        None,
        2_000,
        "lower",
    ),
    Goal(
        "a user goes offline, until a contact is notified, p99 in ms",
        "presence",
        ("ours", "offline_p99"),
        None,
        10_000,
        "lower",
    ),
    Goal(
        "presence churn, others' ack p99, beside before",
        "presence",
        ("ours", "meanwhile_p99"),
        ("ours", "before_p99"),
        3,
        "lower",
    ),
    Goal(
        "private chat over the legacy v1 API, beside our own",
        "legacy",
        ("v1", "acked"),
        ("ours", "acked"),
        0.6,
    ),
    Goal(
        "server CPU per delivered group message over the legacy v1 API, beside our own",
        "legacy",
        ("v1", "delivery_us"),
        ("ours", "delivery_us"),
        3,
        "lower",
    ),
    Goal(
        "private chat, beside ejabberd with archive",
        "peers_pairs",
        ("ours", "acked"),
        ("ejabberd_archive", "acked"),
        5,
    ),
    Goal(
        "private chat, beside ejabberd without archive",
        "peers_pairs",
        ("ours", "acked"),
        ("ejabberd", "acked"),
        1.4,
    ),
    Goal(
        "private chat, beside Synapse",
        "peers_synapse",
        ("ours", "acked"),
        ("synapse", "acked"),
        300,
    ),
    Goal(
        "group of 200, beside ejabberd's room without archive",
        "peers_fanout",
        ("ours", "delivered"),
        ("ejabberd", "delivered"),
        2,
    ),
    Goal(
        "idle memory per connection, beside ejabberd",
        "peers_idle",
        ("ours", "kilobytes"),
        ("ejabberd", "kilobytes"),
        0.6,
        "lower",
    ),
    Goal(
        "mixed day at a steady pace, ack p99 in ms",
        "day",
        ("ours", "paced_send_p99"),
        None,
        50,
        "lower",
    ),
    Goal(
        "mixed day at a steady pace, history page p99 in ms",
        "day",
        ("ours", "paced_history_p99"),
        None,
        100,
        "lower",
    ),
)
