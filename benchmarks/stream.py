"""How much a worker grows while it streams GET /tweets, and how fast the stream is. The bar is 32 MB.

    .venv/bin/python benchmarks/stream.py [--tweets 1000000] [--rounds 3]

The served app, one worker, on a database filled with invented tweets. Growth is the worker's highest resident memory during a
stream less the memory before it. `sqlite3 -json`-like reading of the same columns through the same SQLite, in this process,
is the baseline of speed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import requests

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from alchemy import Database  # noqa: E402 (found through the line above)
from benchmarks.served import Served, served  # noqa: E402

BAR_MB = 32
CREATED = "2026-11-17T12:34:56Z"


def fill(folder: str, count: int) -> Path:
    """Make a database of so many invented tweets of 1,000 authors under one tag, and return its file."""
    file = Path(folder) / "tweets.db"
    database = Database(f"sqlite:///{file}")
    database.upgrade()
    database.close()
    with sqlite.connect(file) as raw:
        names = "id, kind, state, started, tweets_added, posts, users, floor, ceiling"
        raw.execute(f"INSERT INTO runs ({names}) VALUES (1, 'import', 'done', ?, 0, 0, 0, 0, 0)", (CREATED,))
        raw.execute("INSERT INTO tags (id, key, tag, tracked, since) VALUES (1, '#devops', '#devops', 1, ?)", (CREATED,))
        authors = ((n, f"user{n}", f"Invented {n}", n * 7, CREATED, count // 1000) for n in range(1, 1001))
        raw.executemany(
            "INSERT INTO authors (id, username, name, followers, observed, tweets) VALUES (?, ?, ?, ?, ?, ?)", authors
        )
        text = "An invented tweet about nothing in particular, long enough to look like one. " * 2
        rows = ((n << 22, n << 22, f"{n} {text}", CREATED, "en", n % 1000 + 1) for n in range(1, count + 1))
        columns = "id, version, text, created, lang, author_id, rash_id, run_id"
        insert = f"INSERT INTO tweets ({columns}) VALUES (?, ?, ?, ?, ?, ?, 1, 1)"
        raw.executemany(insert, rows)
        raw.execute("INSERT INTO tweet_tags SELECT id, 1, 1 FROM tweets")
        raw.execute("INSERT INTO marks VALUES ('source', 'x')")
    raw.close()
    return file


def memory_mb(pid: int, field: str) -> float:
    """Return a process's VmRSS (now) or VmHWM (highest)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def stream(url: str) -> tuple[int, float]:
    """Return the bytes of GET /tweets and the seconds they took."""
    started, size = time.perf_counter(), 0
    with requests.get(url + "/tweets", stream=True, timeout=600) as answer:
        for chunk in answer.iter_content(1 << 20):
            size += len(chunk)
    return size, time.perf_counter() - started


def baseline(file: Path) -> float:
    """Return the seconds in which SQLite itself makes JSON of the same columns."""
    query = """SELECT json_object('tweet', text, 'author', name, 'followers', followers, 'created', created, 'lang', lang,
        'country', country, 'rash', '#devops', 'id', CAST(t.id AS text), 'username', username, 'tags', json_array('#devops'),
        'country_code', country_code, 'author_id', CAST(author_id AS text), 'observed', observed,
        'version', CAST(version AS text), 'versions', json_array(CAST(t.id AS text)))
        FROM tweets t LEFT JOIN authors a ON a.id = t.author_id ORDER BY t.id"""
    started = time.perf_counter()
    raw = sqlite.connect(file)
    for _ in raw.execute(query):
        pass
    raw.close()
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = fill(folder, asked.tweets)
        with served(file) as service:
            report(asked.tweets, asked.rounds, file, service)
    return 0


def report(tweets: int, rounds: int, file: Path, service: Served) -> None:
    """Measure, and print what came out."""
    url, worker = service.url, service.worker
    requests.get(url + "/readyz", timeout=600)
    before = memory_mb(worker, "VmRSS")
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    streams = [stream(url) for _ in range(rounds)]
    growth = memory_mb(worker, "VmHWM") - before
    seconds = statistics.median(taken for _, taken in streams)
    plain = statistics.median(baseline(file) for _ in range(rounds))
    verdict = "met" if growth <= BAR_MB else "MISSED"
    print(f"{tweets} tweets, {streams[0][0] / 2**20:.0f} MB: median {seconds:.1f} s over {rounds} rounds")
    print(f"SQLite's own JSON of the same columns: median {plain:.1f} s; the stream takes {seconds / plain:.1f} times that")
    print(f"the worker grew by {growth:.1f} MB from {before:.0f} MB; bar {BAR_MB} MB: {verdict}")


if __name__ == "__main__":
    sys.exit(main())
