"""Run the chaos test: `python -m tests.chaos --plan long --seed 7 --report docs/reliability.md`.

Starts its own PostgreSQL, Redis and server processes. Exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.outcome import write_report
from tests.chaos.runner import Options, run
from tests.chaos.schedule import PLANS


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Break things while people chat, then look for lost or duplicated messages.",
    )
    parser.add_argument(
        "--plan", choices=PLANS, default="short", help="how many faults of each kind"
    )
    parser.add_argument("--seed", type=int, help="repeats a schedule (default: random)")
    parser.add_argument("--seconds", type=float, default=0, help="run at least this long")
    parser.add_argument("--logs", type=Path, help="folder for the servers' logs")
    parser.add_argument("--report", type=Path, help="Markdown page to write the figures into")
    given = vars(parser.parse_args(arguments))
    if given["seed"] is None:
        given["seed"] = secrets.randbelow(1_000_000)
    options = Options(**given)
    print(options.command, flush=True)
    outcome = asyncio.run(run(options, PLANS[options.plan]))
    print(outcome.summary())
    if options.report is not None:
        write_report(options.report, outcome)
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
