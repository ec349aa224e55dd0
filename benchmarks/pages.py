"""A start and its memory, how long the pages for people take on many tweets, and how many bytes the overview loads."""

import re
import time
from collections.abc import Iterator

from benchmarks.bench import Bench, Row, row
from benchmarks.load import answer, fetch
from benchmarks.servers import memory_mb, serve
from benchmarks.tweets import COMMON_WORD

SETTLED_S = 0.5
WEEK = "since=2026-10-23T00:00:00Z&until=2026-10-30T00:00:00Z"
OVERVIEW, GZIP = f"/?{WEEK}", ("--header", "Accept-Encoding: gzip")
VIEWS = (
    "/?period=all",
    f"/view/tags/devops?{WEEK}",
    f"/view/tweets?period=all&q={COMMON_WORD}",
    "/view/collections",
    "/view/health",
)


def starts(bench: Bench) -> Iterator[Row]:
    """Measures starts of the service, and its memory once what a start does beside the requests has settled."""
    url, seconds, memory = bench.url(bench.effort.small), list[float](), list[float]()
    for _ in range(bench.effort.rounds):
        begun = time.perf_counter()
        with serve("app.py", DATABASE_URL=url) as server:
            seconds.append(time.perf_counter() - begun)
            time.sleep(SETTLED_S)
            memory.append(memory_mb(server.parent, "Pss") + memory_mb(server.worker, "Pss"))
    yield row("start-up to the first answer of /livez", seconds, "s", at_most=1.0)
    yield row("memory (PSS) of an idle worker and its parent", memory, "MB", at_most=110)


def pages(bench: Bench) -> Iterator[Row]:
    """Measures a new process's first page, each view, and what the overview loads."""
    url, server = bench.url(bench.effort.large), bench.service(bench.effort.large)
    found = bench.in_turns(first=lambda: _first_ms(url), overview=lambda: fetch(server.url + OVERVIEW, *GZIP).ms)
    yield row("overview of a week, the first request that a process answers", found["first"], "ms", at_most=200)
    yield row("overview of a week", found["overview"], "ms", at_most=200)
    for path in VIEWS:
        yield row(path, [fetch(server.url + path, *GZIP).ms for _ in range(bench.effort.rounds)], "ms")
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', answer(server.url + OVERVIEW).text))
    size = sum(fetch(server.url + path, *GZIP).size for path in (OVERVIEW, *files))
    yield row("overview with all that it loads, compressed", [size / 1024], "KiB", at_most=120)


def _first_ms(database_url: str) -> float:
    with serve("app.py", DATABASE_URL=database_url) as server:
        return fetch(server.url + OVERVIEW, *GZIP).ms
