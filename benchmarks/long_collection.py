"""How much a long collection adds to X's own latency: ten tags with 5,000 tweets each, 300 ms a request. The bar is 1.15.

    .venv/bin/python benchmarks/long_collection.py [--rounds 3] [--tweets 5000] [--latency 0.3]

The baseline is what the tag with the most pages cannot avoid, for its requests follow each other: the same pages, asked for
by the same client one after the other, with nothing stored and no other tag. Each round is a new database, with the
transaction of each page synced to the disk; the emulator runs in a process of its own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import requests

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from api import collector_for, get_tweets  # noqa: E402 (found through the line above)
from collector.x.client import Search, X  # noqa: E402
from collector.x.transport import Access  # noqa: E402
from settings import load  # noqa: E402

BAR = 1.15


class Round(NamedTuple):
    """A collection: its seconds, its tweets, and the query and number of requests of its longest tag."""

    seconds: float
    tweets: int
    query: str
    requests: int


@contextmanager
def emulator(latency: float, tweets: int) -> Iterator[str]:
    """Run an emulator with so many tweets that each tag has enough, and give its URL."""
    command = [sys.executable, "-m", "emulator", "--port", "0", "--latency", f"{int(latency * 1000)}ms"]
    command += ["--tweets", str(tweets * 200), "--bearer-limit", "1000000"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().rpartition(" ")[2].strip()
        finally:
            process.terminate()


def alone(url: str, query: str, requests: int) -> float:
    """Return the seconds of so many pages of a query, one after the other, with nothing stored."""
    x, token, started = X(Access(url, bearer_token="benchmark")), None, time.perf_counter()
    for _ in range(requests):
        token = x.search(Search(query, 100, next_token=token)).body["meta"].get("next_token")
    x.close()
    return time.perf_counter() - started


def collection(url: str, *, tweets: int) -> Round:
    """Collect into a new database."""
    requests.delete(f"{url}/emulator/requests", timeout=10)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"DATABASE_URL": f"sqlite:///{folder}/tweets.db", "TWITTER_API_URL": url}
        more = {"TW_NUMBER": str(tweets), "MONTHLY_BUDGET_USD": "off"}
        with closing(collector_for(load(settings | more, folder=Path(folder)))) as collector:
            collector.prepare()
            started = time.perf_counter()
            view = get_tweets(collector)
            seconds = time.perf_counter() - started
    asked = requests.get(f"{url}/emulator/requests", timeout=10).json()["requests"]
    ((query, count),) = Counter(one["params"]["query"] for one in asked).most_common(1)
    return Round(seconds, view.tweets_added, query, count)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tweets", type=int, default=5000)
    parser.add_argument("--latency", type=float, default=0.3)
    asked = parser.parse_args()
    with emulator(asked.latency, asked.tweets) as url:
        longest = collection(url, tweets=asked.tweets)  # the emulator makes its world as it is asked for
        baselines = [alone(url, longest.query, longest.requests) for _ in range(2)]
        rounds = [collection(url, tweets=asked.tweets) for _ in range(asked.rounds)]
    latency = statistics.median(baselines)
    seconds = [one.seconds for one in rounds]
    ratio = statistics.median(seconds) / latency
    print(f"{longest.query} alone, nothing stored: {longest.requests} requests in {latency:.2f} s")
    spread = f"{min(seconds):.2f} to {max(seconds):.2f} s in {len(seconds)} rounds"
    print(f"{rounds[0].tweets} tweets of ten tags: median {statistics.median(seconds):.2f} s, {spread}")
    print(f"ratio {ratio:.3f}; bar {BAR}: {'met' if ratio <= BAR else 'MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
