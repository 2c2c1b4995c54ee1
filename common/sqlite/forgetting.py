"""What is deleted from a SQLite file is gone from the file."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Overwrite whatever this connection frees, and at the end what the write-ahead log holds.

    Every connection overwrites what it frees in pages that it writes anyway (see
    DATABASES); this does so wherever it costs writing another page, too. While others read
    from the log it stays until they write over it. On PostgreSQL a vacuum does that; within
    somebody else's transaction there is no end to speak of.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA secure_delete=ON")
        try:
            yield
        finally:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute("PRAGMA secure_delete=FAST")
