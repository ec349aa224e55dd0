"""How fast a million tweets are imported: our own NDJSON beside the bare database, and X's pages beside our own NDJSON.

    .venv/bin/python benchmarks/import.py [--tweets 1000000] [--rounds 3]

The import is `flask --app app tweets import FILE` in a process of its own, from its start to its end: the interpreter, the
migrations, JSON, all rules of storing, what follows from the tweets. The baseline is pysqlite3's executemany of the very rows
that the import leaves behind, ready-made as tuples outside the measured time, into a migrated database: the same indexes,
foreign keys, pragmas and cache, and as many tweets a transaction. It writes each author and each roll-up once, with its last
value, and no virtual table. After each round `flask database verify` must find the import right, and the baseline must hold
as many rows in each table, or nothing is reported.

X's pages hold the same tweets with all that X says of them (benchmarks/x_pages.py), all of which is kept. They are compared by
processor time, which other work on the machine changes less.

The tweets are those of benchmarks/invented.py. Growth is the import's highest resident memory less that of an import of the
first tenth.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pysqlite3.dbapi2 as sqlite

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from alchemy import Database  # noqa: E402 (found through the line above)
from benchmarks.invented import TAGS, tweets  # noqa: E402
from benchmarks.x_pages import pages  # noqa: E402
from collector.imports import BATCH, CACHE_MB  # noqa: E402
from engines.sqlite import PRAGMAS  # noqa: E402

BAR, BAR_OF_PAGES = 0.4, 0.45
FIRST = ("runs", "tags", "authors")
BY_TWEET = {"tweets": "id", "tweet_tags": "tweet_id", "versions": "tweet_id"}
OF_A_DATABASE = ("alembic_version", "figures", "marks")

Rows = list[tuple[Any, ...]]


class Imported(NamedTuple):
    """An import: its seconds, those of the processor, and its highest resident memory."""

    seconds: float
    processor_seconds: float
    memory_mb: float


class Round(NamedTuple):
    """The bare database's seconds, the import of our own NDJSON, and that of X's pages."""

    bare: float
    own: Imported
    pages: Imported


def write(file: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write one object a line."""
    with file.open("wb") as out:
        out.writelines(orjson.dumps(line) + b"\n" for line in lines)


def imported(source: Path, database: Path) -> Imported:
    """Import a file into a new database, in a process of its own."""
    started, before, highest = time.perf_counter(), _processor_seconds(), 0.0
    with _flask(database, "tweets", "import", str(source)) as process:
        while process.poll() is None:
            highest = max(highest, _memory_mb(process.pid))
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"the import ended with {process.returncode}")
    return Imported(time.perf_counter() - started, _processor_seconds() - before, highest)


def _processor_seconds() -> float:
    """Return those of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _flask(database: Path, *command: str) -> subprocess.Popen[bytes]:
    variables = {"DATABASE_URL": f"sqlite:///{database}", "TWITTER_API_URL": "http://127.0.0.1:9", "TAGS": ",".join(TAGS)}
    line, null = [sys.executable, "-m", "flask", "--app", "app", *command], subprocess.DEVNULL
    return subprocess.Popen(line, cwd=ROOT, env=os.environ | variables, stdout=null, stderr=null)


def _memory_mb(pid: int) -> float:
    """Return a process's highest resident memory, or 0 when it is gone. (What wait4 says begins with this process's own.)"""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0) / 1024


class Bare:
    """The database without the program. `seconds` are those in which it was at work; making the tuples isn't counted."""

    def __init__(self, file: Path) -> None:
        with closing(Database(f"sqlite:///{file}")) as database:
            database.upgrade()
        self.raw = sqlite.connect(file, isolation_level=None)
        for pragma in (*PRAGMAS, f"cache_size=-{CACHE_MB * 1024}"):
            self.raw.execute(f"PRAGMA {pragma}").close()
        self.seconds = 0.0

    def write(self, tables: dict[str, Rows]) -> None:
        """Insert the rows of these tables in one transaction."""
        started = time.perf_counter()
        self.raw.execute("BEGIN IMMEDIATE")
        for table, rows in tables.items():
            if rows:
                self.raw.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
        self.raw.execute("COMMIT")
        self.seconds += time.perf_counter() - started

    def close(self) -> None:
        started = time.perf_counter()
        self.raw.close()
        self.seconds += time.perf_counter() - started


def bare(file: Path, source: Path) -> float:
    """Return the seconds in which the database itself takes the rows of another."""
    database = Bare(file)
    with closing(sqlite.connect(source)) as other:
        for batch in _batches(other):
            database.write(batch)
        _require_same(database.raw, other)
    database.close()
    return database.seconds


def _batches(other: Any) -> Iterator[dict[str, Rows]]:
    """Give the rows, those that others refer to first; a batch of tweets comes with what belongs to them."""
    for table in FIRST:
        yield from _chunks(other, table)
    last, ids = -1, other.execute("SELECT id FROM tweets ORDER BY id").fetchall()
    for (end,) in [*ids[BATCH - 1 :: BATCH], *ids[-1:]]:
        between = "SELECT * FROM {} WHERE {} > ? AND {} <= ? ORDER BY {}"
        yield {
            table: other.execute(between.format(table, key, key, key), (last, end)).fetchall()
            for table, key in BY_TWEET.items()
        }
        last = end
    for table in _tables(other):
        if table not in (*FIRST, *BY_TWEET):
            yield from _chunks(other, table)


def _chunks(other: Any, table: str) -> Iterator[dict[str, Rows]]:
    rows = other.execute(f"SELECT * FROM {table}")
    while batch := rows.fetchmany(BATCH):
        yield {table: batch}


def _tables(raw: Any) -> list[str]:
    """Return the names of ordinary tables that hold what was imported."""
    listed = raw.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name")
    return [name for (name,) in listed if not name.startswith("sqlite_") and name not in OF_A_DATABASE]


def _require_same(one: Any, other: Any) -> None:
    """Raise SystemExit unless both databases hold as many rows in each table."""
    for table in _tables(other):
        counts = {raw.execute(f"SELECT count(*) FROM {table}").fetchone() for raw in (one, other)}
        if len(counts) > 1:
            raise SystemExit(f"{table} differs")


def measured(folder: Path, number: int) -> Round:
    """Return what one round took."""
    bare_file, own_file, pages_file = (folder / f"{name}-{number}.db" for name in ("bare", "own", "pages"))
    own = verified(folder / "tweets.ndjson", own_file)
    plain = bare(bare_file, own_file)
    found = Round(plain, own, verified(folder / "pages.jsonl", pages_file))
    for file in (bare_file, own_file, pages_file):
        file.unlink()
    return found


def verified(source: Path, database: Path) -> Imported:
    """Import a file into a new database, in which everything must add up."""
    whole = imported(source, database)
    if _flask(database, "database", "verify").wait():
        raise SystemExit("the import is not right")
    return whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "tenth.ndjson", itertools.islice(tweets(asked.tweets), asked.tweets // 10))
        write(folder / "tweets.ndjson", tweets(asked.tweets))
        write(folder / "pages.jsonl", pages(asked.tweets))
        tenth = imported(folder / "tenth.ndjson", folder / "tenth.db")
        rounds = [measured(folder, number) for number in range(asked.rounds)]
    report(asked.tweets, rounds, tenth)
    return 0


def report(tweets: int, rounds: list[Round], tenth: Imported) -> None:
    """Print what came out."""
    plain = _said("bare executemany", tweets, [one.bare for one in rounds])
    _compare(plain / _said("import", tweets, [one.own.seconds for one in rounds]), BAR)
    own = _said("import, of the processor", tweets, [one.own.processor_seconds for one in rounds])
    by_x = _said("import of X's pages, of the processor", tweets, [one.pages.processor_seconds for one in rounds])
    _compare(own / by_x, BAR_OF_PAGES)
    _said("import of X's pages", tweets, [one.pages.seconds for one in rounds])
    highest, of_pages = max(one.own.memory_mb for one in rounds), max(one.pages.memory_mb for one in rounds)
    print(f"highest memory {highest:.0f} MB, {highest - tenth.memory_mb:.1f} MB more than with a tenth of the tweets")
    print(f"highest memory of X's pages {of_pages:.0f} MB")


def _said(name: str, tweets: int, seconds: list[float]) -> float:
    """Print what something took, and return the median."""
    median = statistics.median(seconds)
    spread = f"{min(seconds):.1f} to {max(seconds):.1f} s in {len(seconds)} rounds"
    print(f"{name}, {tweets} tweets: median {median:.1f} s, {spread}")
    return median


def _compare(ratio: float, bar: float) -> None:
    print(f"ratio {ratio:.2f}; bar {bar}: {'met' if ratio >= bar else 'MISSED'}")


if __name__ == "__main__":
    sys.exit(main())
