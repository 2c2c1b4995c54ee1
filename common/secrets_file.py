"""Secrets of an installation that was given none: made once, kept beside the data.

Only the embedded default uses this. In production the start-up check asks for
secrets in the environment, where every process of every machine can have the
same ones.
"""

import os
import secrets
from pathlib import Path

from common.data_dir import explained


def read_or_create(directory: Path, name: str) -> str:
    """Return the secret stored in `directory/name`, making it first if need be.

    Two processes may start at once: the file is written under another name and
    linked into place, so that exactly one value wins and nobody reads half of it.
    """
    path = directory / name
    with explained(directory):
        if not path.exists():
            draft = _draft(path, secrets.token_urlsafe(64))
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text(encoding="ascii").strip()


def replace(path: Path, secret: str) -> None:
    """Store another secret in place of the old one; whoever reads gets one of the two."""
    draft = _draft(path, secret)
    draft.replace(path)


def _draft(path: Path, secret: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret)
    return draft
