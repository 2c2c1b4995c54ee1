"""Sockets and messages."""

from chatbe.settings.declare import section, setting

section("Sockets and messages")

HELLO_SECONDS = setting(
    "HELLO_SECONDS",
    float,
    10.0,
    "seconds",
    (
        "a socket that has not said `hello` by then is closed, and a connection that has not "
        "sent the head of a request; a `hello` the database takes so long to answer gets "
        "`unavailable`"
    ),
)
ARRIVAL_QUEUE_MAX = setting(
    "ARRIVAL_QUEUE_MAX",
    int,
    20_000,
    "sockets",
    (
        "this many that say `hello` or are brought up to date wait for the same read of the "
        "database; the next gets `unavailable`"
    ),
)
ARRIVAL_QUEUE_SECONDS = setting(
    "ARRIVAL_QUEUE_SECONDS",
    float,
    30.0,
    "seconds",
    "a socket that has waited so long there gets `unavailable`",
)
PING_SECONDS = setting(
    "PING_SECONDS",
    float,
    20.0,
    "seconds",
    (
        "how often a socket is pinged, and how long it may take to answer: one whose line is "
        "dead is found within twice this"
    ),
)
DRAIN_SECONDS = setting(
    "DRAIN_SECONDS",
    float,
    10.0,
    "seconds",
    (
        "over how long a process that stops spreads the closing of its sockets; 0 closes them "
        "at once"
    ),
)
FRAME_BYTES_BEFORE_WELCOME = setting(
    "FRAME_BYTES_BEFORE_WELCOME",
    int,
    4 * 1024,
    "bytes",
    "the largest frame before `welcome`",
)
FRAME_BYTES = setting(
    "FRAME_BYTES",
    int,
    128 * 1024,
    "bytes",
    "the largest frame after it, and the largest body of a REST request",
)
TEXT_MAX_CHARACTERS = setting(
    "TEXT_MAX_CHARACTERS",
    int,
    8_000,
    "characters",
    "the longest text of a message",
)
TEXT_MAX_BYTES = setting(
    "TEXT_MAX_BYTES",
    int,
    32 * 1024,
    "bytes of UTF-8",
    "the same in bytes",
)
UNANSWERED_PER_SOCKET = setting(
    "UNANSWERED_PER_SOCKET",
    int,
    64,
    "commands",
    "with this many unanswered, a socket is read no further",
)
SOCKETS_PER_USER = setting(
    "SOCKETS_PER_USER",
    int,
    10,
    "sockets",
    "the most one user may have open, on all processes together; `0` is no limit",
)
HELLOS_PER_ADDRESS = setting(
    "HELLOS_PER_ADDRESS",
    str,
    "2000+50/second",
    "[rule](#rules)",
    "hellos from one address (IPv6: one /64); many people may share one",
)
COMMANDS_PER_SOCKET = setting(
    "COMMANDS_PER_SOCKET",
    str,
    "200+20/second",
    "rule",
    "frames of one socket",
)
COMMANDS_REFUSED_PER_SOCKET = setting(
    "COMMANDS_REFUSED_PER_SOCKET",
    str,
    "1000+10/second",
    "rule",
    "a socket that is refused more than that is closed with 4005",
)
COMMANDS_PER_USER = setting(
    "COMMANDS_PER_USER",
    str,
    "400+30/second",
    "rule",
    "frames of all sockets of a user",
)
FRAMES_PER_SOCKET = setting(
    "FRAMES_PER_SOCKET",
    str,
    "1000+50/second",
    "rule",
    "pings, pongs and pieces of messages of one socket; more closes it with 4005",
)
MESSAGES_PER_CONVERSATION = setting(
    "MESSAGES_PER_CONVERSATION",
    str,
    "200+50/second",
    "rule",
    "messages that are stored in one conversation, from all senders together",
)
SOCKET_UNREAD_BYTES = setting(
    "SOCKET_UNREAD_BYTES",
    int,
    256 * 1024,
    "bytes",
    "a client with so much unread is not read from, so that it asks for no more",
)
SOCKET_STALL_BYTES = setting(
    "SOCKET_STALL_BYTES",
    int,
    1024 * 1024,
    "bytes",
    "a client with so much unread gets `resync` instead of events",
)
SOCKET_STALL_SECONDS = setting(
    "SOCKET_STALL_SECONDS",
    float,
    10.0,
    "seconds",
    "one that reads nothing for this long is cut off",
)
PRESENCE_LEASE_SECONDS = setting(
    "PRESENCE_LEASE_SECONDS",
    float,
    60.0,
    "seconds",
    (
        "so long people stay online after the process of their sockets died; a third, a half "
        "and a twelfth of it are how often processes renew and check it, and how long a closed "
        "socket counts ([presence](presence.md))"
    ),
    production="at least 1",
)
