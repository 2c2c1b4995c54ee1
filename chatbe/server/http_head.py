"""What the head of a request says, and how it is said again without an upgrade (RFC 9110)."""

from collections.abc import Sequence

Headers = Sequence[tuple[bytes, bytes]]

# Those of an upgrade to HTTP/2 (RFC 7540, section 3.2).
_OFFERS = (b"upgrade", b"http2-settings")


def head_size(url: bytes, headers: Headers) -> int:
    """How many bytes the head has, about."""
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def announced_length(headers: Headers) -> int:
    """The length the client says its body has; what is no number, the parser has refused."""
    lengths = (value for name, value in headers if name == b"content-length")
    return max((int(value) for value in lengths if value.isdigit()), default=0)


def head_without_upgrade(method: bytes, url: bytes, headers: Headers) -> bytes:
    """The head again, for a client that offers to speak something else and need not."""
    lines = [b"%b %b HTTP/1.1" % (method, url)]
    for name, value in headers:
        kept = value
        if name == b"connection":
            tokens = [token.strip() for token in value.split(b",")]
            kept = b", ".join(token for token in tokens if token.lower() not in _OFFERS)
        if name not in _OFFERS and kept:
            lines.append(b"%b: %b" % (name, kept))
    return b"\r\n".join([*lines, b"", b""])
