"""Collections from an emulator that answers each request after 300 ms, beside what X's latency alone takes."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from benchmarks.bench import Bench
from benchmarks.load import answer
from benchmarks.rows import Row, ratio, row
from benchmarks.servers import emulator, python, serve

LATENCY_MS, LONG = 300, 5000


def collection(bench: Bench) -> Iterator[Row]:
    """Measure the default collection, and a long one beside the requests of its longest tag, which follow each other."""
    rounds, number = bench.effort.rounds, min(LONG, bench.effort.large // 10)
    with emulator(LATENCY_MS) as url:
        seconds = [collect_s(url) for _ in range(rounds)]
        one_by_one = _asked(url).total() * LATENCY_MS / 1000 / rounds
    yield row("default collection", seconds, "s", at_most=1.0, note=f"; its requests one after the other {one_by_one:.1f} s")
    with emulator(LATENCY_MS, tweets=number * 200) as url:
        collect_s(url, TW_NUMBER=str(number))  # the emulator makes its world as it is asked for
        longest = max(_asked(url).values())
        seconds = [collect_s(url, TW_NUMBER=str(number)) for _ in range(rounds)]
    work = f"10 tags × {number:,} tweets beside the {longest} requests of one tag × {LATENCY_MS} ms"
    yield ratio(work, seconds, [longest * LATENCY_MS / 1000], "s", "≤ 1.15")


def collect_s(emulator_url: str, **settings: str) -> float:
    """Return the seconds of a collection into a new database, by POST /database, which answers when all is stored."""
    with TemporaryDirectory() as folder:
        own = {"DATABASE_URL": f"sqlite:///{folder}/new.db", "TWITTER_API_URL": emulator_url} | settings
        with serve("app.py", **own) as server:
            begun = time.perf_counter()
            answer(f"{server.url}/database", method="POST")
            return time.perf_counter() - begun


@contextmanager
def collecting(database_url: str, latency_ms: int) -> Iterator[Callable[[], float]]:
    """Let `python api.py` store pages in a database; gives how many there were a second from its first request on."""
    with emulator(latency_ms, tweets=1_000_000) as url:
        own = {"DATABASE_URL": database_url, "TWITTER_API_URL": url, "TW_NUMBER": "100000"}
        with python("api.py", **own) as process:
            while not _asked(url) and process.poll() is None:
                time.sleep(0.1)
            begun = time.perf_counter()
            yield lambda: _asked(url).total() / (time.perf_counter() - begun)


def _asked(emulator_url: str) -> Counter[str]:
    """Return how often the emulator was asked for each query."""
    asked = answer(f"{emulator_url}/emulator/requests").json()["requests"]
    return Counter(one["params"]["query"] for one in asked if "query" in one["params"])
