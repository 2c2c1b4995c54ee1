"""What REST and HTTP take at most."""

from chatbe.settings.declare import section, setting
from chatbe.settings.sockets import FRAME_BYTES

section(
    "REST",
    outro="""### Rules

`20/second` allows twenty at once and then one every twentieth of a second. `200+20/second` \
allows 200 at once and then twenty a second. Units are `second`, `minute` and `hour`; empty or \
`0` turns a rule off. Rules that several processes count together are exact within about a \
second, and stricter while Redis is away ([ADR 0005](adr/0005-limits.md)).

The rules under Accounts have windows (`10/15minutes` is ten in any quarter of an hour) and no \
bursts; here, too, empty or `0` is off.""",
)

REQUEST_QUEUE_MAX = setting(
    "REQUEST_QUEUE_MAX",
    int,
    512,
    "requests per process",
    (
        "the most that wait for a slot (see `DATABASE_POOL_SIZE`), of one caller or on one "
        "conversation half of them; as many commands may wait for a database thread. More are "
        "answered `unavailable`"
    ),
)
REQUEST_QUEUE_SECONDS = setting(
    "REQUEST_QUEUE_SECONDS",
    float,
    5.0,
    "seconds",
    "a request or command that has waited longer is answered `unavailable`",
)
REST_READS_PER_USER = setting(
    "REST_READS_PER_USER",
    str,
    "600+20/second",
    "rule",
    "requests of a user that change nothing",
)
REST_WRITES_PER_USER = setting(
    "REST_WRITES_PER_USER",
    str,
    "200+10/second",
    "rule",
    "requests of a user that change something",
)
REST_READS_PER_ADDRESS = setting(
    "REST_READS_PER_ADDRESS",
    str,
    "6000+300/second",
    "rule",
    "the same from one address (IPv6: one /64), known or not; many people may share one",
)
REST_WRITES_PER_ADDRESS = setting(
    "REST_WRITES_PER_ADDRESS",
    str,
    "2000+100/second",
    "rule",
    "the same for requests that change something",
)

section(
    "HTTP",
    intro="What a connection may hold before anybody knows who it belongs to, and for how long; see [limits](limits.md).",
)

HTTP_HEAD_BYTES = setting(
    "HTTP_HEAD_BYTES",
    int,
    32 * 1024,
    "bytes",
    "the longest head of a request, address and headers together; it is due in `HELLO_SECONDS`",
)
# Whatever may be said over a socket may be said over REST as well.
HTTP_BODY_BYTES = max(
    setting(
        "HTTP_BODY_BYTES",
        int,
        256 * 1024,
        "bytes",
        (
            "the longest body; at least `FRAME_BYTES`. The JSON of the REST interface ends at "
            "`FRAME_BYTES`"
        ),
    ),
    FRAME_BYTES,
)
HTTP_BODY_SECONDS = setting(
    "HTTP_BODY_SECONDS",
    float,
    30.0,
    "seconds",
    "how long a body may take to come",
)
HTTP_ANSWER_SECONDS = setting(
    "HTTP_ANSWER_SECONDS",
    float,
    20.0,
    "seconds",
    (
        "how long a client may take for the next 48 KiB of an answer, and for what is left at "
        "its end"
    ),
)
HTTP_CONNECTIONS_MAX = setting(
    "HTTP_CONNECTIONS_MAX",
    int,
    10_000,
    "connections",
    (
        "as many may be without a request, or be sockets without `welcome`, at a time; the one "
        "that has been so for longest gives way"
    ),
)
HTTP_BODIES_BYTES = setting(
    "HTTP_BODIES_BYTES",
    int,
    32 * 1024 * 1024,
    "bytes",
    "all bodies that are under way, together; the oldest gives way",
)
HTTP_ANSWERS_BYTES = setting(
    "HTTP_ANSWERS_BYTES",
    int,
    64 * 1024 * 1024,
    "bytes",
    "all answers that are not taken yet, together; the oldest gives way",
)
