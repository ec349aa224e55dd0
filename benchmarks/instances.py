"""What a second instance brings: two processes on two ports, one PostgreSQL, beside one of them alone.

    .venv/bin/python benchmarks/instances.py [--tweets 20000] [--rounds 5] [--seconds 4]

One worker each, logs and metrics on; wrk asks one instance with 16 connections, or both with 16 each. PostgreSQL and the load
generators run on the same cores, so the ratio says how many of these there are as well. The bar is 1.7.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import data
from benchmarks.cluster import running
from benchmarks.load import throughput
from benchmarks.served import Served, served
from benchmarks.table import machine, middle

BAR = 1.7
SERVER = ("shared_buffers=256MB", "random_page_cost=1.1", "jit=off", "max_parallel_workers_per_gather=0")
ASKED = {
    "from the cache, per hour": ("/tweets_per_hour", {}),
    "cache off, per hour": ("/tweets_per_hour", {"CACHE_MB": "0"}),
    "cache off, a page of 100 by tag": ("/tweets?tag=devops&limit=100", {"CACHE_MB": "0"}),
}


def main() -> int:
    asked = _asked()
    print(machine(), flush=True)
    with TemporaryDirectory(prefix="pg-", dir="/tmp") as folder, running(Path(folder), *SERVER) as cluster:
        url = data.restored(cluster, data.database(asked.tweets, kept=asked.keep))
        for what, (path, settings) in ASKED.items():
            with ExitStack() as stack:
                both = [stack.enter_context(served(url, **data.OFF | settings)) for _ in range(2)]
                rounds = [
                    (_speed(both[:1], path, asked.seconds), _speed(both, path, asked.seconds)) for _ in range(asked.rounds)
                ]
            one, two = ([each[number] for each in rounds] for number in range(2))
            ratio = statistics.median(second / first for first, second in rounds)
            verdict = "met" if ratio >= BAR else "MISSED"
            print(f"{verdict:7}{what}: {ratio:.2f}: {middle(two, digits=0)}/s beside {middle(one, digits=0)}/s", flush=True)
    return 0


def _speed(servers: Sequence[Served], path: str, seconds: int) -> float:
    """Return how many requests a second these answer together."""
    with ThreadPoolExecutor(len(servers)) as pool:
        return sum(pool.map(lambda server: throughput(server.url + path, seconds), servers))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--keep", type=Path, default=data.KEPT, help="where databases are kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
