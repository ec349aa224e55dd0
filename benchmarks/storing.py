"""How fast tweets come in, by collections and by imports.

Collections run against an emulator that answers each request after 300 ms, beside what X's latency alone takes. Our own NDJSON
is imported beside a bare `executemany` of the same rows, and beside X's pages of the same tweets.

An import is `flask --app app tweets import FILE` from its start to its end, into a new database that `database verify` finds
right. The bare insertion gets the rows that the import leaves behind, ready-made as tuples, for the same tables and indexes;
it writes each author and each roll-up once, with its last value, and no full-text index. X's pages are those of a collection.
Imports are compared by processor time, which other work on the machine changes less.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory

import pysqlite3.dbapi2 as sqlite

import models  # noqa: F401 (declares the tables)
from alchemy import Base, Database, open_database
from benchmarks.bench import Bench, Row, ratio, row
from benchmarks.load import answer
from benchmarks.servers import emulator, flask, python, run, serve

LATENCY_MS, LONG = 300, 5000
BATCH, CACHE_KB = 10_000, 32 * 1024  # as in imports
COLLECTED = 20_000


def collection(bench: Bench) -> Iterator[Row]:
    """Measures the default collection, and a long one beside its longest tag's requests, one after the other."""
    rounds, number = bench.effort.rounds, min(LONG, bench.effort.large // 10)
    with emulator(LATENCY_MS) as url:
        seconds = [collect_s(url) for _ in range(rounds)]
        one_by_one = _requests_by_query(url).total() * LATENCY_MS / 1000 / rounds
    yield row("default collection", seconds, "s", at_most=1.0, note=f"; its requests one after the other {one_by_one:.1f} s")
    with emulator(LATENCY_MS, tweets=number * 200) as url:
        collect_s(url, TW_NUMBER=str(number))  # the emulator invents its tweets when they are first requested
        longest = max(_requests_by_query(url).values())
        seconds = [collect_s(url, TW_NUMBER=str(number)) for _ in range(rounds)]
    work = f"10 tags × {number:,} tweets beside the {longest} requests of one tag × {LATENCY_MS} ms"
    yield ratio(work, seconds, [longest * LATENCY_MS / 1000], "s", "≤ 1.15")


def collect_s(emulator_url: str, **settings: str) -> float:
    """Returns the seconds of a collection into a new database, by POST /database, which answers when all is stored."""
    with TemporaryDirectory() as folder:
        own = {"DATABASE_URL": f"sqlite:///{folder}/new.db", "TWITTER_API_URL": emulator_url} | settings
        with serve("app.py", **own) as server:
            begun = time.perf_counter()
            answer(f"{server.url}/database", method="POST")
            return time.perf_counter() - begun


@contextmanager
def collecting(database_url: str, latency_ms: int) -> Iterator[Callable[[], float]]:
    """Lets `python api.py` store pages in a database; gives what returns the pages per second since its first request."""
    with emulator(latency_ms, tweets=1_000_000) as url:
        own = {"DATABASE_URL": database_url, "TWITTER_API_URL": url, "TW_NUMBER": "100000"}
        with python("api.py", **own) as process:
            while not _requests_by_query(url) and process.poll() is None:
                time.sleep(0.1)
            begun = time.perf_counter()
            yield lambda: _requests_by_query(url).total() / (time.perf_counter() - begun)


def _requests_by_query(emulator_url: str) -> Counter[str]:
    """Returns the number of requests that the emulator received for each query."""
    requests = answer(f"{emulator_url}/emulator/requests").json()["requests"]
    return Counter(one["params"]["query"] for one in requests if "query" in one["params"])


def importing(bench: Bench) -> Iterator[Row]:
    """Measures imports and what they are compared with in turn."""
    count, few = bench.effort.large, min(COLLECTED, bench.effort.large)
    own = _exported(bench.url(count), bench.folder / "own", "ndjson")
    found = bench.in_turns(own=partial(import_s, own), bare=partial(bare_insertion_s, own))
    yield ratio(f"import of {count:,} tweets, bare `executemany` ÷ own NDJSON", found["bare"], found["own"], "s", "≥ 0.4")
    collected = f"sqlite:///{bench.folder}/collected.db"
    with emulator(latency_ms=0, tweets=20 * few) as url:
        run("api.py", DATABASE_URL=collected, TWITTER_API_URL=url, TW_NUMBER=str(few // 10))
    same = {form: _exported(collected, bench.folder / form, form) for form in ("ndjson", "twarc")}
    found = bench.in_turns(**{form: partial(import_s, file) for form, file in same.items()})
    yield ratio(f"import of {few:,} tweets, own NDJSON ÷ X's pages", found["ndjson"], found["twarc"], "s", "≥ 0.45")


def _exported(url: str, target: Path, form: str) -> Path:
    flask(url, "tweets", "export", "--format", form, "-o", str(target))
    return target


def import_s(source: Path) -> float:
    """Returns the processor seconds of an import into a new database beside the file."""
    for outdated in source.parent.glob(f"{source.name}.db*"):
        outdated.unlink()
    before = getrusage(RUSAGE_CHILDREN)
    flask(f"sqlite:///{source}.db", "tweets", "import", str(source))
    after = getrusage(RUSAGE_CHILDREN)
    flask(f"sqlite:///{source}.db", "database", "verify")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def bare_insertion_s(source: Path) -> float:
    """Returns the processor seconds in which a new database stores the rows of an import, without the time to make tuples."""
    target = source.with_suffix(".bare")
    target.unlink(missing_ok=True)
    with closing(open_database(f"sqlite:///{target}")) as database, closing(sqlite.connect(f"{source}.db")) as other:
        database.upgrade()
        return sum(_insert_s(database, other, table.name) for table in Base.metadata.sorted_tables)


def _insert_s(database: Database, other: sqlite.Connection, table: str) -> float:
    """Inserts the rows of a table in batches, one per transaction, except those that every new database has."""
    rows, seconds = other.execute(f"SELECT * FROM {table}"), 0.0
    while batch := rows.fetchmany(BATCH):
        statement = f"INSERT OR IGNORE INTO {table} VALUES ({','.join('?' * len(batch[0]))})"
        begun = time.process_time()
        with database.writing() as session:
            session.connection().exec_driver_sql(f"PRAGMA cache_size=-{CACHE_KB}")
            session.connection().exec_driver_sql(statement, batch)
        seconds += time.process_time() - begun
    return seconds
