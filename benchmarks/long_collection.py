"""How much a long collection adds to X's own latency: ten tags with 5,000 tweets each, 300 ms a request. The bar is 1.15.

    .venv/bin/python benchmarks/long_collection.py [--rounds 3] [--tweets 5000] [--latency 0.3]

The baseline is the latency that the tag with the most pages can't avoid: its requests follow each other. Each round is a new
database, with every page's two transactions synced to the disk; the emulator runs in a process of its own.
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
from settings import load  # noqa: E402

BAR = 1.15


class Round(NamedTuple):
    """A collection: its seconds, its tweets, and the seconds that its longest tag had to wait for X."""

    seconds: float
    tweets: int
    latency: float


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


def collection(url: str, *, tweets: int, latency: float) -> Round:
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
    longest = max(Counter(one["params"]["query"] for one in asked).values())
    return Round(seconds, view.tweets_added, longest * latency)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tweets", type=int, default=5000)
    parser.add_argument("--latency", type=float, default=0.3)
    asked = parser.parse_args()
    with emulator(asked.latency, asked.tweets) as url:
        collection(url, tweets=asked.tweets, latency=asked.latency)  # the emulator makes its world as it is asked for
        rounds = [collection(url, tweets=asked.tweets, latency=asked.latency) for _ in range(asked.rounds)]
    ratios = [one.seconds / one.latency for one in rounds]
    ratio = statistics.median(ratios)
    for one in rounds:
        print(f"{one.tweets} tweets in {one.seconds:.2f} s; the longest tag waits {one.latency:.2f} s for X")
    print(
        f"ratio: median {ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f}); bar {BAR}: {'met' if ratio <= BAR else 'MISSED'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
