"""What stands out in many tweets: processor time of the worker, which other work changes least; the cache is off.

On PostgreSQL, most of whose work is its own, the time of the answers.
"""

from collections.abc import Iterator
from statistics import median

from benchmarks.bench import UNCACHED, Bench, Row, row
from benchmarks.lists import processor_ms
from benchmarks.load import Refused, fetch
from benchmarks.pages import WEEK
from benchmarks.servers import Server
from benchmarks.tweets import COMMON_WORD

PERIODS = ((WEEK, 300), ("", 2000))
FILTERS = ("", "tag=devops", "lang=de", f"q={COMMON_WORD}")
MORE_TERMS = ("author=user_0", "until=2026-10-24T00:00:00Z")
SORTS = ("engagement", "likes", "reposts", "views")
BY_TAG = "timeline?by=tag&any_tag=devops&any_tag=sre&bucket=day&"


def insight(bench: Bench) -> Iterator[Row]:
    """Measures terms, links and spikes of a week and of all there is, timelines by tag, and orders by engagement."""
    server = bench.service(bench.effort.large, **UNCACHED, QUERY_TIMEOUT="20s")
    for path, bar in _questions():
        try:
            yield row(path, [_ms(bench, server, path)], "ms", at_most=bar)
        except Refused as refusal:
            yield Row(path, "", str(refusal))


def _questions() -> Iterator[tuple[str, int]]:
    """Yields paths and their bars in milliseconds."""
    for noun in ("terms?", "links?by=domain&", "spikes?"):
        for period, bar in PERIODS:
            asked = period if period or noun != "spikes?" else "since=2026-09-01T00:00:00Z&until=2026-10-31T00:00:00Z"
            yield from ((_path(noun, asked, filters), bar) for filters in FILTERS)
    yield from ((_path("terms?", filters), 2000) for filters in MORE_TERMS)
    for period in (WEEK, ""):
        yield from ((_path(BY_TAG, period, filters), 500) for filters in FILTERS[::2])
    yield from ((_path("timeline?bucket=day&", filters), 500) for filters in FILTERS[1:])
    for sort in SORTS:
        yield from ((_path(f"tweets?limit=100&sort=-{sort}&", one), 500) for one in (*FILTERS, WEEK))


def _path(noun: str, *parameters: str) -> str:
    return f"/{noun}{'&'.join(filter(None, parameters))}".rstrip("?&")


def _ms(bench: Bench, server: Server, path: str) -> float:
    if bench.postgresql:
        return median(fetch(server.url + path).ms for _ in range(bench.effort.rounds))
    return processor_ms(server, server.url + path, bench.effort.rounds)
