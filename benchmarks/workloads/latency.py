"""How long an ack takes when almost nothing else happens, beside one pgbench client.

Two users share a direct conversation. First one of them keeps one message unanswered, then both
do, then they send in turn at `pace` messages a second. pgbench runs our own append of one message,
back to back and at that pace.
"""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure, percentile
from benchmarks.job import Job, Outcome
from benchmarks.pgbench import Pgbench
from benchmarks.talks import talk

DEFAULTS: Mapping[str, float] = {"in-flight": 1, "pace": 100, "warm-up": 1.0, "seconds": 5.0}
SIDES: Sequence[str] = ("pgbench", "ours")

FIGURES: Sequence[Figure] = [
    Figure("p50", "p50, ms", 2, wanted="at most 4 times theirs"),
    Figure("p99", "p99, ms", 2),
    Figure("both_p50", "p50 when both write, ms", 2),
    Figure("both_p99", "p99 when both write, ms", 2),
    Figure("paced_p50", "p50 at the pace, ms", 2),
    Figure("paced_p99", "p99 at the pace, ms", 2),
    Figure("server_us", "server CPU per message, µs", 1),
    Figure("other_cpu", "CPU of everything else, %"),
]


def layout(_: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    """Two users for each mode: the sender of a message tells which."""
    return 6, [[0, 1], [2, 3], [4, 5]]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    if side == "ours":
        return bench.chat("latency", side, layout(settings), settings)
    pgbench = Pgbench.prepared(bench, layout(settings))
    return lambda: _append(pgbench, settings)


async def drive(job: Job) -> Outcome:
    one, two, three = job.conversations
    alone = await talk(job, [one], talkers=1)
    both = await talk(job, [two], talkers=2)
    paced = await talk(job, [three], talkers=2, per_second=job.options["pace"])
    modes = {"": alone, "both_": both, "paced_": paced}
    figures = {
        f"{mode}{wait}": outcome.figures[wait]
        for mode, outcome in modes.items()
        for wait in ("p50", "p99")
    }
    figures["server_us"] = alone.figures["server_us"]
    figures["other_cpu"] = max(outcome.figures["other_cpu"] for outcome in modes.values())
    return Outcome(
        figures=figures,
        acked=[client_id for outcome in modes.values() for client_id in outcome.acked],
        faults={
            f"{mode}{what}": number
            for mode, outcome in modes.items()
            for what, number in outcome.faults.items()
        },
    )


def _append(pgbench: Pgbench, settings: Mapping[str, float]) -> Outcome:
    figures = {"other_cpu": 0.0}
    pace = f"--rate={settings['pace']:g}"
    for way, options in {"": ["--log"], "paced_": ["--log", pace]}.items():
        measured = pgbench.run("append", clients=1, seconds=settings["seconds"], options=options)
        for wait, share in {"p50": 0.5, "p99": 0.99}.items():
            figures[way + wait] = percentile(measured.latencies, share) * 1e3
        figures["other_cpu"] = max(figures["other_cpu"], measured.shares["other_cpu"])
    return Outcome(figures=figures, acked=[], faults={})
