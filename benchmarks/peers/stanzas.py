"""Counts what an XMPP server sends without parsing it.

`<` cannot stand in a text or an attribute of XML, so a tag that is found is a tag, and with
no extension on that forwards stanzas in others, every message ends with one `</message>`.
"""

from typing import NamedTuple

# Both servers put attributes between single quotes.
ERROR = b" type='error'"
ENDS = (b"<stream:error", b"</stream:stream>")


class Arrived(NamedTuple):
    """`messages` are whole ones; `errors` are stanzas that were refused, messages or not."""

    messages: int
    errors: int
    has_ended: bool
    # How often the own mark was in it.
    own: int


class Stanzas:
    """Takes a stream as it comes, in pieces cut anywhere."""

    def __init__(self, own: bytes = b"") -> None:
        self._own = own
        self._rest = b""

    def count(self, data: bytes) -> Arrived:
        data = self._rest + data
        # Nothing that is looked for goes on behind a ">", so none of it is cut in two.
        end = data.rfind(b">") + 1
        self._rest = data[end:]
        return Arrived(
            messages=data.count(b"</message>", 0, end),
            errors=data.count(ERROR, 0, end),
            has_ended=any(data.find(tag, 0, end) >= 0 for tag in ENDS),
            own=data.count(self._own, 0, end) if self._own else 0,
        )
