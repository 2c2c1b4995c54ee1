"""Says which tests concern what has changed: `python -m tools.changed_tests BASE`.

Those are test files that changed, and for product files the tests of their package. What is
not committed yet counts as well.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def main() -> int:
    [base] = sys.argv[1:]
    for test in sorted({test for path in changed(base) for test in tests_of(path)}):
        print(test)
    return 0


def changed(base: str) -> Iterator[Path]:
    """The files that differ from where this branch left `base`."""
    commands = (
        ["git", "diff", "--name-only", "--diff-filter=d", "--merge-base", base],
        ["git", "ls-files", "--others", "--exclude-standard"],
    )
    for command in commands:
        found = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
        yield from map(Path, found.stdout.splitlines())


def tests_of(path: Path) -> Iterator[Path]:
    if path.suffix == ".md":
        yield Path("tests/test_documents.py")
    elif path.suffix == ".py" and path.name.startswith("test_"):
        yield path
    elif path.suffix == ".py":
        for folder in path.parents[:-1]:
            if (PROJECT / folder / "tests").is_dir():
                yield folder / "tests"
                return


if __name__ == "__main__":
    sys.exit(main())
