"""The legacy v1 API."""

from chatbe.settings.declare import section, setting

section("The legacy v1 API", intro="See [the legacy v1 API](legacy-v1.md).")

COMPAT_ENABLED = setting(
    "COMPAT_ENABLED",
    bool,
    True,
    "boolean",
    "whether there is a `/v1/` for clients of the original server",
)
COMPAT_TICKET_SECONDS = setting(
    "COMPAT_TICKET_SECONDS",
    int,
    120,
    "seconds",
    "how long the one-time code of a login opens a socket there",
)
COMPAT_PING_SECONDS = setting(
    "COMPAT_PING_SECONDS",
    float,
    15.0,
    "seconds",
    "how often sockets there are pinged, and how long they may take to answer",
)
COMPAT_SHOW_EMAILS = setting(
    "COMPAT_SHOW_EMAILS",
    bool,
    False,
    "boolean",
    "whether contacts see each other's e-mail addresses there",
)
COMPAT_LIST_BYTES = setting(
    "COMPAT_LIST_BYTES",
    int,
    2 * 1024 * 1024,
    "bytes",
    "the texts of one unpaged list together; the newest are in it",
)
