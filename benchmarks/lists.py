"""Pages of 100 of many tweets by each filter and order, the first one and deep ones, and counts; the cache is off.

Cursors are collected by following a list in large pages for a while. Processor time is the worker's, which other work on the
machine changes less; the page of a list that takes most of it counts.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.bench import UNCACHED, Bench, Row, row
from benchmarks.load import Refused, answer, fetch, p99_ms
from benchmarks.servers import Server
from benchmarks.storing import collecting
from benchmarks.tweets import COMMON_WORD, RARE_WORD

LARGE_PAGES = 100
SORTS = ("id", "-id", "created", "-created", "followers", "-followers")
DAY = "since=2026-10-01T00:00:00Z&until=2026-10-02T00:00:00Z"
MONTH = "since=2026-09-10T00:00:00Z&until=2026-10-20T12:34:56Z"
COMMON = ("tag=devops", "lang=en", f"q={COMMON_WORD}", "author=user_0", "min_followers=100")
BETWEEN = ("tag=security", "tag=linux", "lang=de", "lang=ar", "country=US", "q=va", "q=fila", "q=lozokiti", "q=pise")
RARE = ("tag=finops", "lang=ko", f"q={RARE_WORD}", "author=user_1000", "min_followers=20000000", "country=Iceland")
MIXED = ("tag=devops&tag=sre", "tag=devops&lang=ko", f"tag=finops&q={COMMON_WORD}", f"author=user_0&q={COMMON_WORD}")
FILTERS = ("", *COMMON, *BETWEEN, *RARE, *MIXED, DAY, MONTH, *(f"{period}&{one}" for period in (DAY, MONTH) for one in COMMON))
COUNTS = (
    "/tweets?limit=100&sort=-followers",
    "/authors?limit=100",
    "/facets?by=lang",
    "/facets?by=tag",
    "/timeline?bucket=day",
)


def lists(bench: Bench) -> Iterator[Row]:
    """Measures p99 of pages and of searches at a constant rate, and then a page's processor time by each filter."""
    server = bench.service(bench.effort.large, **UNCACHED)
    yield _constant(bench, "pages of 100, all six orders", [url for sort in SORTS for url in _pages(server, "", sort)])
    searches = [f"{server.url}/tweets?q={word}&sort=id&limit=100" for word in (COMMON_WORD, RARE_WORD)]
    yield _constant(bench, "search, first page by id, a common and a rare word", searches)
    for filters in FILTERS:
        yield _by_filter(server, filters, bench.effort.rounds)


def growth(bench: Bench) -> Iterator[Row]:
    """Measures how long lists and counts take one after the other, and how many pages a collection stores beside them."""
    url, server = bench.url(bench.effort.large), bench.service(bench.effort.large, **UNCACHED, QUERY_TIMEOUT="20s")
    for path in (f"{path}&{filters}".rstrip("&") for path in COUNTS for filters in ("", *COMMON, *MIXED, DAY)):
        try:
            yield row(path, [fetch(server.url + path).ms for _ in range(bench.effort.rounds)], "ms")
        except Refused as refusal:
            yield Row(path, "", str(refusal))
    with collecting(url, latency_ms=0) as pages_a_second:
        time.sleep(bench.effort.seconds)
        yield row("pages of 100 that a collection stores", [pages_a_second()], "/s")


def _constant(bench: Bench, work: str, urls: Sequence[str]) -> Row:
    found = bench.in_turns(p99=lambda: p99_ms(urls, bench.effort.seconds))["p99"]
    return row(f"{work}, {bench.effort.large:,} tweets", found, "ms", at_most=50, note=" p99 at 100/s")


def _by_filter(server: Server, filters: str, rounds: int) -> Row:
    found = {sort: max(processor_ms(server, url, rounds) for url in _pages(server, filters, sort)) for sort in SORTS}
    said = ", ".join(f"{sort} {ms:.1f}" for sort, ms in found.items())
    return row(f"page of 100, {filters or 'no filter'}", [max(found.values())], "ms", at_most=10, note=f": {said}")


def _pages(server: Server, filters: str, sort: str) -> list[str]:
    """Returns the URLs of the first page of a list, of one in its middle and of the deepest one that was reached."""
    base, cursors = f"{server.url}/tweets?sort={sort}&{filters}".rstrip("&"), [""]
    while len(cursors) <= LARGE_PAGES and (path := answer(f"{base}&fields=id&limit=1000{cursors[-1]}").json()["next"]):
        cursors.append("&cursor=" + path.partition("cursor=")[2].partition("&")[0])
    return [f"{base}&limit=100{cursors[place]}" for place in sorted({0, len(cursors) // 2, len(cursors) - 1})]


def processor_ms(server: Server, url: str, rounds: int) -> float:
    """Returns the median of some rounds, after one that fills caches, of the processor time of the worker's threads."""
    threads = Path(f"/proc/{server.worker}/task")
    used = list[float]()
    for _ in range(rounds + 2):
        used.append(sum(int(task.read_text().split()[0]) for task in threads.glob("*/schedstat")) / 1e6)
        answer(url)
    return median(after - before for before, after in pairwise(used[1:]))
