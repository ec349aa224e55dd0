"""How fast a million tweets of our own NDJSON are imported, beside the bare database. The bar is 0.4 of its speed.

    .venv/bin/python benchmarks/import.py [--tweets 1000000] [--rounds 3]

The import is `flask --app app tweets import FILE` in a process of its own, from its start to its end: the interpreter, the
migrations, JSON, all rules of storing, roll-ups. The baseline is pysqlite3's executemany of the very rows that the import
leaves behind, ready-made as tuples outside the measured time, into a migrated database: the same indexes, foreign keys,
pragmas and cache, and as many tweets a transaction. It writes each author and each roll-up once, with its last value. After
each round both databases must hold the same rows, or nothing is reported.

The tweets are invented and the same in every run: a tenth as many authors, ten tags, one or two a tweet, over a month, some
without a language, some edited. Growth is the import's highest resident memory less that of an import of the first tenth.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pysqlite3.dbapi2 as sqlite

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from alchemy import PRAGMAS, Database  # noqa: E402 (found through the line above)
from collector.imports import BATCH, CACHE_MB  # noqa: E402
from collector.values import first_id  # noqa: E402

BAR = 0.4
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
MONTH = timedelta(days=31)
OBSERVED = "2026-11-01T00:00:00Z"
TAGS = tuple(sorted(f"#invented{number}" for number in range(10)))
LANGS = ("en",) * 6 + ("es", "it", "ja", None)
WORDS = [
    "a",
    "deploy",
    "went",
    "out",
    "and",
    "nobody",
    "was",
    "paged",
    "so",
    "we",
    "drew",
    "it",
    "on",
    "the",
    "wall",
    "again",
    "über",
    "naïve",
    "設計",
    "🦉",
    "#ops",
    "https://t.co/x",
]
COLUMNS = {
    "runs": "id, kind, state, started, tweets_added, posts, users",
    "tags": "id, key, tag, tracked, since",
    "authors": "id, username, name, followers, observed, tweets",
    "tweets": "id, version, text, created, lang, country, country_code, author_id, rash_id, run_id",
    "tweet_tags": "tweet_id, tag_id, run_id",
    "versions": "id, tweet_id",
    "quarters": "start, tweets",
    "tag_langs": "tag_id, lang, tweets",
    "tag_hours": "tag_id, start, tweets",
}


class Imported(NamedTuple):
    """An import: its seconds, and its highest resident memory."""

    seconds: float
    memory_mb: float


def invented(count: int) -> Iterator[dict[str, Any]]:
    """Give tweets as an export writes them, oldest id first."""
    chance, texts = random.Random(1), _texts()
    for number in range(count):
        created = BEGIN + MONTH * number / count
        first = first_id(created) + number % 4096
        versions = [first] + [first + (minute << 32) for minute in range(1, chance.choice((1, 2, 3)))] * (number % 100 == 0)
        author = chance.randrange(1, max(count // 10, 1) + 1)
        tags = sorted(chance.sample(TAGS, chance.choice((1, 2))))
        yield {
            "tweet": f"{number} {chance.choice(texts)}",
            "author": f"Invented {author}",
            "followers": author * 7 % 10_000,
            "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lang": chance.choice(LANGS),
            "country": "Peru" if number % 50 == 0 else None,
            "rash": tags[0],
            "id": str(first),
            "username": f"user_{author}",
            "tags": tags,
            "country_code": "PE" if number % 50 == 0 else None,
            "author_id": str(author << 20),
            "observed": OBSERVED,
            "version": str(versions[-1]),
            "versions": [str(version) for version in versions],
        }


def _texts() -> list[str]:
    """Return texts of 40 to 280 characters."""
    chance = random.Random(2)
    return [" ".join(chance.choices(WORDS, k=80))[: chance.randint(40, 280)] for _ in range(1000)]


def write(file: Path, count: int, *, most: int) -> None:
    """Write the first `most` of so many invented tweets."""
    with file.open("wb") as out:
        for row in itertools.islice(invented(count), most):
            out.write(orjson.dumps(row) + b"\n")


def imported(source: Path, database: Path) -> Imported:
    """Import a file into a new database, in a process of its own."""
    command = [sys.executable, "-m", "flask", "--app", "app", "tweets", "import", str(source)]
    variables = {"DATABASE_URL": f"sqlite:///{database}", "TWITTER_API_URL": "http://127.0.0.1:9", "TAGS": ",".join(TAGS)}
    started, highest = time.perf_counter(), 0.0
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | variables, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            highest = max(highest, _memory_mb(process.pid))
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"the import ended with {process.returncode}")
    return Imported(time.perf_counter() - started, highest)


def _memory_mb(pid: int) -> float:
    """Return a process's highest resident memory, or 0 when it is gone. (What wait4 says begins with this process's own.)"""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0) / 1024


class Bare:
    """The database without the program. `seconds` are those in which it was at work; making the tuples isn't counted."""

    def __init__(self, file: Path) -> None:
        database = Database(f"sqlite:///{file}")
        with closing(database):
            database.upgrade()
        self._raw = sqlite.connect(file, isolation_level=None)
        for pragma in (*PRAGMAS, f"cache_size=-{CACHE_MB * 1024}"):
            self._raw.execute(f"PRAGMA {pragma}").close()
        self.seconds = 0.0

    def write(self, rows: dict[str, list[tuple[Any, ...]]]) -> None:
        """Insert the rows of these tables in one transaction."""
        started = time.perf_counter()
        self._raw.execute("BEGIN IMMEDIATE")
        for table, tuples in rows.items():
            places = ",".join("?" for _ in COLUMNS[table].split(","))
            self._raw.executemany(f"INSERT INTO {table} ({COLUMNS[table]}) VALUES ({places})", tuples)
        self._raw.execute("COMMIT")
        self.seconds += time.perf_counter() - started

    def close(self) -> None:
        started = time.perf_counter()
        self._raw.close()
        self.seconds += time.perf_counter() - started


def bare(file: Path, count: int) -> float:
    """Return the seconds in which the database itself takes the rows."""
    database = Bare(file)
    tags = [(number, tag, tag, 1, OBSERVED) for number, tag in enumerate(TAGS, 1)]
    database.write({"runs": [(1, "import", "done", OBSERVED, 0, 0, 0)], "tags": tags})
    authors = iter(_authors(count))
    while batch := list(itertools.islice(authors, BATCH)):
        database.write({"authors": batch})
    tweets = invented(count)
    while rows := list(itertools.islice(tweets, BATCH)):
        database.write(_rows(rows))
    database.write(_rollups(count))
    database.close()
    return database.seconds


def _authors(count: int) -> Iterable[tuple[Any, ...]]:
    tweets = Counter(row["author_id"] for row in invented(count))
    seen = {row["author_id"]: row for row in invented(count)}
    for author_id, row in sorted(seen.items(), key=lambda each: int(each[0])):
        yield int(author_id), row["username"], row["author"], row["followers"], OBSERVED, tweets[author_id]


def _rows(rows: list[dict[str, Any]]) -> dict[str, list[tuple[Any, ...]]]:
    tags = {tag: number for number, tag in enumerate(TAGS, 1)}
    return {"tweets": [_tweet(row, tags) for row in rows]} | {
        "tweet_tags": [(int(row["id"]), tags[tag], 1) for row in rows for tag in row["tags"]],
        "versions": [(int(version), int(row["id"])) for row in rows for version in row["versions"][1:]],
    }


def _tweet(row: dict[str, Any], tags: dict[str, int]) -> tuple[Any, ...]:
    place = row["country"], row["country_code"]
    shown = int(row["id"]), int(row["version"]), row["tweet"], row["created"], row["lang"]
    return *shown, *place, int(row["author_id"]), tags[row["rash"]], 1


def _rollups(count: int) -> dict[str, list[tuple[Any, ...]]]:
    quarters, langs, hours = Counter[Any](), Counter[Any](), Counter[Any]()
    tags = {tag: number for number, tag in enumerate(TAGS, 1)}
    for row in invented(count):
        second = int(datetime.fromisoformat(row["created"]).timestamp())
        quarters[second // 900 * 900] += 1
        langs.update((tags[tag], row["lang"] or "") for tag in row["tags"])
        hours.update((tags[tag], second // 3600 * 3600) for tag in row["tags"])
    return {
        "quarters": [(start, tweets) for start, tweets in sorted(quarters.items())],
        "tag_langs": [(*key, tweets) for key, tweets in sorted(langs.items())],
        "tag_hours": [(*key, tweets) for key, tweets in sorted(hours.items())],
    }


def require_same(one: Path, other: Path) -> None:
    """Raise SystemExit unless both databases hold the same rows."""
    with closing(sqlite.connect(one)) as raw:
        raw.execute("ATTACH ? AS other", (str(other),))
        for table in list(COLUMNS)[2:]:
            for first, second in (("main", "other"), ("other", "main")):
                rows = [f"SELECT {COLUMNS[table]} FROM {name}.{table}" for name in (first, second)]
                if (differ := raw.execute(f"SELECT count(*) FROM ({' EXCEPT '.join(rows)})").fetchone()[0]) > 0:
                    raise SystemExit(f"{differ} rows of {table} differ")


def measured(folder: Path, source: Path, count: int, number: int) -> tuple[float, Imported]:
    """Return the bare database's seconds of a round, and the import."""
    files = folder / f"bare-{number}.db", folder / f"imported-{number}.db"
    plain, whole = bare(files[0], count), imported(source, files[1])
    require_same(*files)
    for file in files:
        file.unlink()
    return plain, whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "tenth.ndjson", asked.tweets, most=asked.tweets // 10)
        write(folder / "tweets.ndjson", asked.tweets, most=asked.tweets)
        tenth = imported(folder / "tenth.ndjson", folder / "tenth.db")
        rounds = [measured(folder, folder / "tweets.ndjson", asked.tweets, number) for number in range(asked.rounds)]
    report(asked.tweets, rounds, tenth)
    return 0


def report(tweets: int, rounds: list[tuple[float, Imported]], tenth: Imported) -> None:
    """Print what came out."""
    plain, whole = [seconds for seconds, _ in rounds], [one.seconds for _, one in rounds]
    ratio = statistics.median(plain) / statistics.median(whole)
    highest = max(one.memory_mb for _, one in rounds)
    for name, seconds in (("bare executemany", plain), ("import", whole)):
        spread = f"{min(seconds):.1f} to {max(seconds):.1f} s in {len(seconds)} rounds"
        print(f"{name}, {tweets} tweets: median {statistics.median(seconds):.1f} s, {spread}")
    print(f"ratio {ratio:.2f}; bar {BAR}: {'met' if ratio >= BAR else 'MISSED'}")
    print(f"highest memory {highest:.0f} MB, {highest - tenth.memory_mb:.1f} MB more than with a tenth of the tweets")


if __name__ == "__main__":
    sys.exit(main())
