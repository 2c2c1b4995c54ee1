"""The libraries a server must not be older than: what is below has known faults or lacks what we use.

The lock file has newer ones; this is for installations that were made without it.
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version

# The lower ends in requirements.in.
LEAST: Mapping[str, str] = {
    "channels": "4.3",
    "channels-redis": "4.3",
    "daphne": "4.2.2",
    "django": "5.2.0",
    "django-unfold": "0.91.0",
    "uvicorn": "0.52.1",
}


def package_problems() -> Iterator[str]:
    """What is missing or too old, in plain words."""
    for name, least in LEAST.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            yield f"The package {name} is not installed: install requirements.txt."
            continue
        if Version(found) < Version(least):
            yield f"The package {name} {found} is too old, {least} is the least: install requirements.txt."
