"""Where one WebSocket frame ends and the next begins (RFC 6455, section 5.2)."""

MASKED = 0x80
_LENGTH = 0x7F


def frame_bounds(data: bytes, at: int) -> tuple[int, int]:
    """Where the payload of the frame at `at` begins and ends.

    The end lies beyond the data when the frame, or already its header, is not all there.
    """
    beyond = len(data) + 1
    if len(data) - at < 2:
        return beyond, beyond
    second = data[at + 1]
    length, payload_at = second & _LENGTH, at + 2
    if length == 126:
        payload_at += 2
        if len(data) < payload_at:
            return beyond, beyond
        length = int.from_bytes(data[at + 2 : payload_at])
    elif length == 127:
        payload_at += 8
        if len(data) < payload_at:
            return beyond, beyond
        length = int.from_bytes(data[at + 2 : payload_at])
    if second & MASKED:
        payload_at += 4
    return payload_at, payload_at + length
