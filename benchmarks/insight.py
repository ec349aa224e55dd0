"""What stands out in many tweets: processor time of the worker, which other work changes least; the cache is off."""

from collections.abc import Iterator

from benchmarks.bench import UNCACHED, Bench, Row, row
from benchmarks.lists import processor_ms
from benchmarks.pages import WEEK
from benchmarks.tweets import COMMON_WORD

WEEKS = (WEEK, f"{WEEK}&tag=devops", f"{WEEK}&lang=de", f"{WEEK}&q={COMMON_WORD}")
WHOLE = ("", "tag=devops", "lang=de", f"q={COMMON_WORD}", "author=user_0", "until=2026-10-24T00:00:00Z")


def insight(bench: Bench) -> Iterator[Row]:
    """Measures the terms of a week and of all there is, by several filters."""
    server = bench.service(bench.effort.large, **UNCACHED)
    for filters, bar in (*((one, 300) for one in WEEKS), *((one, 2000) for one in WHOLE)):
        found = processor_ms(server, f"{server.url}/terms?{filters}".rstrip("?"), bench.effort.rounds)
        yield row(f"terms, {filters or 'no filter'}", [found], "ms", at_most=bar)
