"""The folder of an installation: there, ours, writable, and nobody else's to read.

It holds the database and, without PRODUCTION, the secrets. Whatever was made earlier and could
be read by other accounts of the machine is closed to them as well.
"""

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

# What is written here, whatever else may lie beside it.
_FILES = ("*.sqlite3*", "secret_key", "signing_key", "content_hash_key", "server.lock", "demo*")
_FOLDERS = frozenset({"static", "lost+found"})
_PROJECT = Path(__file__).resolve().parents[1]
FOLDER_MODE, FILE_MODE = 0o700, 0o600
_OTHERS = 0o077

_REASONS = {
    errno.EROFS: "its file system is read-only: mount it so that it can be written, or set DATA_DIR",
    errno.ENOSPC: "no space is left on its file system: make room, or set DATA_DIR",
    errno.EDQUOT: "the quota of this account is used up: make room, or set DATA_DIR",
    errno.ENOTDIR: "it, or a part of its path, is a file: set DATA_DIR to a folder",
    errno.EEXIST: "it, or a part of its path, is a file: set DATA_DIR to a folder",
    errno.ELOOP: "its links lead in a circle: set DATA_DIR to another folder",
    errno.ENAMETOOLONG: "its name is too long: set DATA_DIR to another folder",
}


def prepare(folder: Path, *, database: Path | None) -> None:
    """Make the folder, close it to others, and see that what must be written can be.

    `database` is the file of SQLite, if that is the database. ImproperlyConfigured says what
    is wrong with which path and what to do.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        (folder / "static").mkdir(exist_ok=True, mode=FOLDER_MODE)
        if _is_ours(folder):
            _close(folder, FOLDER_MODE)
        for pattern in _FILES:
            for path in folder.glob(pattern):
                if path.is_file() and not path.is_symlink():
                    _close(path, FILE_MODE)
    if database is not None:
        # SQLite keeps two more files beside it.
        with explained(folder):
            _require_writable(folder)
            if database.exists():
                _require_writable(database)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turns an OSError about this folder into an ImproperlyConfigured that says what to do."""
    try:
        yield
    except OSError as error:
        found = Path(os.fsdecode(error.filename)) if error.filename else folder
        where = "" if found == folder else f" ({found})"
        raise ImproperlyConfigured(
            f"DATA_DIR cannot be used: {folder}{where}: {_reason(error, found)}."
        ) from error


def _reason(error: OSError, path: Path) -> str:
    if error.errno in {errno.EACCES, errno.EPERM}:
        return (
            f"this process runs as {_account(os.geteuid())} and may not write there"
            f"{_owner(path)}: give it that account (chown -R), or set DATA_DIR to a folder of its own"
        )
    known = _REASONS.get(error.errno or 0)
    return known or f"{error.strerror}: set DATA_DIR to a folder that can be written"


def _owner(path: Path) -> str:
    """Whose the nearest thing there is that the path leads to."""
    for place in (path, *path.parents):
        try:
            return f" ({place} belongs to {_account(place.stat().st_uid)})"
        except OSError:
            continue
    return ""


def _account(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _require_writable(path: Path) -> None:
    needed = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
    if not os.access(path, needed):
        read_only = os.statvfs(path).f_flag & os.ST_RDONLY
        raise OSError(errno.EROFS if read_only else errno.EACCES, "not writable", str(path))


def _is_ours(folder: Path) -> bool:
    """Whether the folder is for this installation alone.

    Somebody may name one that others need as well (/tmp, that of the project): its
    permissions are not for us to change.
    """
    place = folder.resolve()
    if _PROJECT in place.parents:
        return True
    if place == _PROJECT or place in _PROJECT.parents:
        return False
    others = (entry.name for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False))
    return not place.stat().st_mode & stat.S_ISVTX and set(others) <= _FOLDERS


def _close(path: Path, mode: int) -> None:
    """Take others' permissions away, of what is ours to change."""
    # SQLite's second files come and go.
    with suppress(FileNotFoundError):
        found = path.stat()
        if stat.S_IMODE(found.st_mode) & _OTHERS and found.st_uid == os.geteuid():
            path.chmod(stat.S_IMODE(found.st_mode) & mode)
