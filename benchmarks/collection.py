"""How long a default collection takes while X answers each request after 300 ms. The bar is 1.0 s.

    .venv/bin/python benchmarks/collection.py [--rounds 7] [--latency 0.3]

Each round is a new database and the ten default tags with 100 tweets each, in this process; the emulator runs in one of its
own, so that it doesn't share the collector's interpreter. The baseline of the same run asks the same pages one after
the other, as the original did.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from api import collector_for, get_tweets, tags, tw_number  # noqa: E402 (found through the line above)
from collector.x.client import Search, X  # noqa: E402
from collector.x.transport import Access  # noqa: E402
from settings import load  # noqa: E402

BAR_S = 1.0


@contextmanager
def emulator(latency: float) -> Iterator[str]:
    """Run the emulator in a process of its own and give its URL."""
    command = [sys.executable, "-m", "emulator", "--port", "0", "--latency", f"{int(latency * 1000)}ms"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().rpartition(" ")[2].strip()
        finally:
            process.terminate()


def collection(url: str) -> tuple[float, int]:
    """Return the seconds of a collection into a new database, and the tweets it added."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load({"DATABASE_URL": f"sqlite:///{folder}/tweets.db", "TWITTER_API_URL": url}, folder=Path(folder))
        with closing(collector_for(settings)) as collector:
            collector.prepare()
            started = time.perf_counter()
            added = get_tweets(collector).tweets_added
            return time.perf_counter() - started, added


def one_after_the_other(url: str) -> float:
    """Return the seconds of the same requests, one after the other, with nothing stored."""
    x = X(Access(url, bearer_token="benchmark"))
    started = time.perf_counter()
    for tag in tags:
        x.search(Search(tag, tw_number))
    x.close()
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--latency", type=float, default=0.3)
    asked = parser.parse_args()
    with emulator(asked.latency) as url:
        baseline = one_after_the_other(url)
        rounds = [collection(url) for _ in range(asked.rounds)]
    seconds = [taken for taken, _ in rounds]
    median = statistics.median(seconds)
    spread = f"{min(seconds):.2f} to {max(seconds):.2f} s in {len(seconds)} rounds"
    print(f"one after the other, nothing stored: {baseline:.2f} s")
    print(f"collection of {rounds[0][1]} tweets: median {median:.2f} s, {spread}")
    print(f"bar {BAR_S:.1f} s: {'met' if median <= BAR_S else 'MISSED'}; {baseline / median:.1f} times the baseline's speed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
