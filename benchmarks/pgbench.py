"""pgbench, PostgreSQL's own load generator: what the database can do without a chat in front.

It runs two statements: an insert into a table with our columns and nothing but a primary key, and
our own append of one message. Both are prepared, and each is a transaction.
"""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import psycopg

from benchmarks.bench import Bench, Layout
from benchmarks.cpu import Meter
from benchmarks.talkers import TEXT
from benchmarks.targets import Ours
from tools import programs
from tools.processes import children, wait_until

Statement = Literal["insert", "append"]

PLAIN_TABLE = """
    CREATE TABLE plain_message (LIKE conversations_message);
    ALTER TABLE plain_message
        ADD PRIMARY KEY (id), ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;
"""
SOMEBODY = (
    "SELECT conversation_id, user_id FROM conversations_membership WHERE left_seq IS NULL"
    " ORDER BY conversation_id, user_id LIMIT 1"
)
BACKENDS_END_SECONDS = 2.0
DIGEST = "'\\x00112233445566778899aabbccddeeff'"
# pgbench fills in `:names`; `:client_id` is the number of its client.
STATEMENTS: dict[Statement, str] = {
    "insert": f"""
        INSERT INTO plain_message (conversation_id, seq, changed_seq, number, sender_id,
            client_id, digest, kind, text, created_at)
        VALUES (:client_id, 1, 1, 1, :client_id, 'pgbench', {DIGEST}, 'text', '{TEXT}', now());
    """,  # noqa: S608
    "append": f"""
        \\set id random(1, 9223372036854775807)
        SELECT * FROM conversations_append(ARRAY[:id]::bigint[], ARRAY[:conversation]::bigint[],
            ARRAY[:sender]::bigint[], ARRAY[:id]::text[], ARRAY[{DIGEST}]::bytea[],
            ARRAY['{TEXT}']::text[], ARRAY[NULL]::bigint[], now());
    """,  # noqa: S608
}


class Measured(NamedTuple):
    """`latencies` are sorted seconds, empty without "--log". `shares` are those of a Meter."""

    per_second: float
    latencies: list[float]
    shares: dict[str, float]


@dataclass(frozen=True, slots=True)
class Pgbench:
    """A database with our own tables and somebody in a conversation, and pgbench on it.

    pgbench runs where our server would, PostgreSQL where it does for us.
    """

    bench: Bench
    url: str
    somebody: tuple[int, int]

    @classmethod
    def prepared(cls, bench: Bench, layout: Layout) -> "Pgbench":
        bench.filled(_Filled, layout)
        url = bench.postgres.url_of(_Filled.name)
        with psycopg.connect(url) as connection:
            connection.execute(PLAIN_TABLE)
            somebody = connection.execute(SOMEBODY).fetchone()
        assert somebody is not None
        return cls(bench, url, somebody)

    def run(
        self, statement: Statement, *, clients: int, seconds: float, options: Sequence[str] = ()
    ) -> Measured:
        conversation, sender = self.somebody
        server = self.bench.postgres.pid
        backends = len(children(server))
        # pgbench is among what we have started, once it has ended.
        everything, database = Meter({"ours": os.getpid()}), Meter({"database": server})
        tool = programs.locate("postgres").with_name("pgbench")
        with tempfile.TemporaryDirectory(dir=self.bench.scratch) as folder:
            script = Path(folder, "script.sql")
            # A meta command goes to the end of its line, a statement to its semicolon.
            script.write_text("\n".join(line.strip() for line in STATEMENTS[statement].split("\n")))
            done = subprocess.run(
                [
                    *("taskset", "-c", self.bench.server_cpu, str(tool), "--no-vacuum"),
                    *("--protocol=prepared", f"--file={script}", f"--client={clients}"),
                    *(f"--define=conversation={conversation}", f"--define=sender={sender}"),
                    *(f"--time={max(round(seconds), 1)}", *options, self.url),
                ],
                check=False,
                cwd=folder,
                capture_output=True,
                text=True,
            )
            if done.returncode != 0:
                message = f"pgbench failed:\n{done.stderr.strip()}"
                raise RuntimeError(message)
            # The time of a backend that is just ending is missing until the server has it.
            wait_until(lambda: len(children(server)) <= backends, BACKENDS_END_SECONDS)
            ours, shares = everything.shares(), database.shares()
            logs = [path.read_text() for path in Path(folder).glob("pgbench_log.*")]
        return Measured(
            per_second=transactions_per_second(done.stdout),
            latencies=latencies("".join(logs)),
            shares={
                "server_cpu": ours["ours_cpu"] - shares["database_cpu"],
                "database_cpu": shares["database_cpu"],
                "other_cpu": ours["other_cpu"],
            },
        )


class _Filled(Ours):
    """Ours, of which only the database is used."""

    name = "pgbench"


def transactions_per_second(report: str) -> float:
    """Parse the rate from pgbench's output; connecting does not count."""
    (line,) = (line for line in report.splitlines() if line.startswith("tps = "))
    return float(line.split()[2])


def latencies(log: str) -> list[float]:
    """From pgbench's transaction log, ordered: how long each took from its beginning.

    With a rate the log counts from when one was due and says in a last column how late
    it began. Source: PostgreSQL manual, pgbench, per-transaction logging.
    """
    found = []
    for line in log.splitlines():
        _client, _number, took, _script, _seconds, _microseconds, *late = line.split()
        found.append((int(took) - sum(map(int, late))) / 1e6)
    return sorted(found)
