"""Says which of our packages a tool has not been told about, as part of `make lint`.

import-linter passes over a layer that its list of packages lacks, and pytest over a folder that
its list of paths lacks. Both look like success.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def main() -> int:
    tools = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]
    packages = {path.parent.name: path.parent for path in PROJECT.glob("*/__init__.py")}
    tested = {name for name, folder in packages.items() if any(folder.rglob("test_*.py"))}
    missing = {
        "tool.importlinter.root_packages": packages.keys() - tools["importlinter"]["root_packages"],
        "tool.pytest.ini_options.testpaths": tested
        - {*tools["pytest"]["ini_options"]["testpaths"]},
    }
    for place, names in missing.items():
        for name in sorted(names):
            print(f"pyproject.toml: {place} lacks {name!r}")
    return 1 if any(missing.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
