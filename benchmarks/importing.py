"""Imports: our own NDJSON beside a bare `executemany` of the same rows, and beside X's pages of the same tweets.

An import is `flask --app app tweets import FILE` from its start to its end, into a new database that `database verify` finds
right. The bare insertion gets the rows that the import leaves behind, ready-made as tuples, for the same tables and indexes;
it writes each author and each roll-up once, with its last value, and no index of words. X's pages are those of a collection.
All is compared by processor time, which other work on the machine changes less.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pysqlite3.dbapi2 as sqlite

import models  # noqa: F401 (declares the tables)
from alchemy import Base, Database, open_database
from benchmarks.bench import Bench
from benchmarks.rows import Row, ratio
from benchmarks.servers import emulator, flask, run

BATCH, CACHE_KB = 10_000, 32 * 1024  # as imports have them
COLLECTED = 20_000


def importing(bench: Bench) -> Iterator[Row]:
    """Measure imports and what they are compared with in turn."""
    count, few = bench.effort.large, min(COLLECTED, bench.effort.large)
    own = _exported(bench.url(count), bench.folder / "own", "ndjson")
    found = bench.in_turn(own=partial(import_s, own), bare=partial(bare_insertion_s, own))
    yield ratio(f"import of {count:,} tweets, bare `executemany` ÷ own NDJSON", found["bare"], found["own"], "s", "≥ 0.4")
    collected = f"sqlite:///{bench.folder}/collected.db"
    with emulator(latency_ms=0, tweets=20 * few) as url:
        run("api.py", DATABASE_URL=collected, TWITTER_API_URL=url, TW_NUMBER=str(few // 10))
    same = {form: _exported(collected, bench.folder / form, form) for form in ("ndjson", "twarc")}
    found = bench.in_turn(**{form: partial(import_s, file) for form, file in same.items()})
    yield ratio(f"import of {few:,} tweets, own NDJSON ÷ X's pages", found["ndjson"], found["twarc"], "s", "≥ 0.45")


def _exported(url: str, target: Path, form: str) -> Path:
    flask(url, "tweets", "export", "--format", form, "-o", str(target))
    return target


def import_s(source: Path) -> float:
    """Return the processor seconds of an import into a new database beside the file."""
    for outdated in source.parent.glob(f"{source.name}.db*"):
        outdated.unlink()
    before = getrusage(RUSAGE_CHILDREN)
    flask(f"sqlite:///{source}.db", "tweets", "import", str(source))
    after = getrusage(RUSAGE_CHILDREN)
    flask(f"sqlite:///{source}.db", "database", "verify")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def bare_insertion_s(source: Path) -> float:
    """Return the processor seconds in which a new database itself takes what an import left; making tuples isn't counted."""
    target = source.with_suffix(".bare")
    target.unlink(missing_ok=True)
    with closing(open_database(f"sqlite:///{target}")) as database, closing(sqlite.connect(f"{source}.db")) as other:
        database.upgrade()
        return sum(_insert_s(database, other, table.name) for table in Base.metadata.sorted_tables)


def _insert_s(database: Database, other: sqlite.Connection, table: str) -> float:
    """Insert all rows of a table, a batch in each transaction, but those that every database has."""
    rows, seconds = other.execute(f"SELECT * FROM {table}"), 0.0
    while batch := rows.fetchmany(BATCH):
        statement = f"INSERT OR IGNORE INTO {table} VALUES ({','.join('?' * len(batch[0]))})"
        begun = time.process_time()
        with database.writing() as session:
            session.connection().exec_driver_sql(f"PRAGMA cache_size=-{CACHE_KB}")
            session.connection().exec_driver_sql(statement, batch)
        seconds += time.process_time() - begun
    return seconds
