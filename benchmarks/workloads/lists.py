"""How long the list of conversations takes for a user with many, beside a user with 50.

Over REST, one request at a time on one connection: the first page of 50, a page from the middle,
and the whole list page by page; `requests` of each page.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.calls import Answer, Caller
from benchmarks.figures import Figure, percentile
from benchmarks.job import Job, Outcome
from benchmarks.workloads import connect_cost

DEFAULTS: Mapping[str, float] = {"conversations": 1_000, "requests": 200}
SIDES: Sequence[str] = ("ours",)

FIGURES: Sequence[Figure] = [
    Figure("first_p50_many", "first page of many, p50, ms", 2, wanted="2 times that of few"),
    Figure("first_p50_few", "first page of few, p50, ms", 2),
    Figure("first_p99_many", "first page of many, p99, ms", 2),
    Figure("first_p99_few", "first page of few, p99, ms", 2),
    Figure("first_us_many", "first page of many, CPU of server and PostgreSQL, µs"),
    Figure("first_us_few", "first page of few, CPU of server and PostgreSQL, µs"),
    Figure("middle_p50_many", "page from the middle of many, p50, ms", 2),
    Figure("middle_p99_many", "page from the middle of many, p99, ms", 2),
    Figure("middle_us_many", "page from the middle, CPU of server and PostgreSQL, µs"),
    Figure("whole_ms", "the whole list of many, ms", 1),
    Figure("generator_cpu", "generator CPU, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]

PAGE = 50
FIRST = f"conversations?limit={PAGE}"
# Requests before the measurement.
WARM_UP = 20


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    """As in `connect_cost`; the last user has one page of conversations with the same members."""
    users, conversations = connect_cost.layout(options)
    few = [[users if index == 0 else index for index in members] for members in conversations]
    half = PAGE // 2
    middle = len(few) // 2
    return users + 1, conversations + few[:half] + few[middle : middle + half]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    return bench.chat("lists", side, layout(settings), settings)


async def drive(job: Job) -> Outcome:
    many, few = Caller(job.seats[0]), Caller(job.seats[-1])
    faults: Counter[str] = Counter()
    meter = job.meter()
    whole, middle = await _whole(many)
    listed = {row["id"] for answer in whole for row in answer.content["results"]}
    faults["conversation not listed"] = int(job.options["conversations"]) - len(listed)
    figures = {"whole_ms": sum(answer.seconds for answer in whole) * 1e3}
    for name, caller, path in (
        ("first_{}_many", many, FIRST),
        ("first_{}_few", few, FIRST),
        ("middle_{}_many", many, middle),
    ):
        await _ask(caller, path, WARM_UP)
        asking = job.meter()
        answers = await _ask(caller, path, int(job.options["requests"]))
        used = asking.used()
        cpu = (used["server"] + used["database"]) / len(answers) * 1e6
        figures[name.format("us")] = cpu
        ordered = sorted(answer.seconds for answer in answers)
        figures[name.format("p50")] = percentile(ordered, 0.50) * 1e3
        figures[name.format("p99")] = percentile(ordered, 0.99) * 1e3
        faults["not a whole page"] += sum(
            answer.status != 200 or len(answer.content["results"]) != PAGE for answer in answers
        )
    many.close()
    few.close()
    shares = meter.shares()
    figures |= {name: shares[name] for name in ("generator_cpu", "other_cpu")}
    return Outcome(figures=figures, acked=[], faults=dict(+faults))


async def _ask(caller: Caller, path: str, times: int) -> list[Answer]:
    return [await caller.get(path) for _ in range(times)]


async def _whole(caller: Caller) -> tuple[list[Answer], str]:
    """All pages, and the path of the middle one."""
    paths, answers = [FIRST], [await caller.get(FIRST)]
    while after := answers[-1].content["next"]:
        paths.append(f"{FIRST}&after={after}")
        answers.append(await caller.get(paths[-1]))
    return answers, paths[len(paths) // 2]
