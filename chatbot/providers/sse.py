"""Server-sent events as OpenAI-compatible servers stream them.

Source: WHATWG HTML, 9.2.6 (parsing an event stream); only `data` matters here, and each
event has one line of it.
"""

from collections.abc import Iterable, Iterator

from chatbot.providers.faults import Broken

# No answer has lines or streams as long as this.
LINE_MAX = 1024 * 1024
STREAM_MAX = 16 * 1024 * 1024


def read_events(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """The data of each event; None for other lines, which say that the server is there.

    Raises Broken for what never ends.
    """
    rest, total = b"", 0
    for chunk in chunks:
        total += len(chunk)
        rest += chunk
        if total > STREAM_MAX or len(rest) > LINE_MAX:
            raise Broken
        *lines, rest = rest.replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            yield _data(line)
    if rest:
        yield _data(rest)


def _data(line: bytes) -> bytes | None:
    if not line.startswith(b"data:"):
        return None
    return line[5:].strip()
