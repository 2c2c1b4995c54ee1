"""Memory that is given back to the system when it is free again.

glibc gives each thread an arena of its own and learns to keep large pieces for itself:
after a hundred threads have each made one large answer, a process would hold all of that
for ever. Two arenas do, since only one thread runs Python at a time, and a large piece is
mapped by itself and goes when it is freed.

Source: mallopt(3).
"""

import contextlib
import ctypes

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
ARENAS = 2
LARGE_BYTES = 128 * 1024


def give_back_memory() -> None:
    """Have it so from now on. Call it before there are threads; elsewhere than on glibc it is nothing."""
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, ARENAS)
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
