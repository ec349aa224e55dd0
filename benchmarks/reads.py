"""Reads: all of few tweets, the aggregates of few and many, what has not changed, and aggregates while pages are stored."""

from collections.abc import Iterator
from functools import partial

from benchmarks.baselines import ANSWERS
from benchmarks.bench import UNCACHED, Bench
from benchmarks.collection import collecting
from benchmarks.load import Refused, answer, p99_ms, throughput
from benchmarks.rows import Row, ratio, row

AGGREGATES = {"top": "top 5", "hours": "per hour", "tags": "per tag"}


def reads(bench: Bench) -> Iterator[Row]:
    """Measure throughput beside bare Flask and the naive service, and then p99 while a collection stores pages."""
    yield from _tweets(bench)
    for name in AGGREGATES:
        yield from _aggregate(bench, name)
    yield from _unchanged(bench)
    yield _while_stored(bench, "")
    yield _while_stored(bench, ", cache off", **UNCACHED)


def _tweets(bench: Bench) -> Iterator[Row]:
    small, urls = bench.effort.small, _same(bench, "tweets")
    urls |= {"naive": f"{bench.baseline('naive').url}/tweets", "uncached": f"{bench.service(small, **UNCACHED).url}/tweets"}
    if len(answer(urls["naive"]).json()["tweets"]) != small:
        raise Refused("the naive service does not answer with all tweets")
    found, work = _speeds(bench, urls), f"GET /tweets, {small:,} tweets"
    yield ratio(f"{work}, × naive", found["ours"], found["naive"], "/s", "≥ 30")
    yield ratio(f"{work}, cache off, × naive", found["uncached"], found["naive"], "/s", "≥ 2.5")
    yield ratio(f"{work}, × bare Flask", found["ours"], found["bare"], "/s", _bar(bench, "≥ 1.0"))


def _aggregate(bench: Bench, name: str) -> Iterator[Row]:
    small, large, work = bench.effort.small, bench.effort.large, AGGREGATES[name]
    found = _speeds(bench, _same(bench, name) | {"large": bench.service(large).url + ANSWERS[name]})
    yield ratio(f"{work}, {small:,} tweets, × bare Flask", found["ours"], found["bare"], "/s", _bar(bench, "≥ 1.5"))
    yield ratio(f"{work}, {large:,} tweets × {small:,}", found["large"], found["ours"], "/s", "≥ 0.9")


def _unchanged(bench: Bench) -> Iterator[Row]:
    """Measure what a client gets who has the newest answer already, and whether the process is alive."""
    ours, bare = bench.service(bench.effort.small).url, bench.baseline("bare").url
    tag = answer(f"{ours}/tweets").headers["ETag"]
    answer(f"{ours}/tweets", expected=304, **{"If-None-Match": tag})
    found = _speeds(bench, {"ours": f"{ours}/tweets", "bare": f"{bare}/unchanged"}, f"If-None-Match: {tag}")
    yield ratio("If-None-Match → 304, × bare Flask", found["ours"], found["bare"], "/s", _bar(bench, "≥ 1.5"))
    found = _speeds(bench, {"ours": f"{ours}/livez", "bare": f"{bare}/livez"})
    yield ratio("/livez × an empty Flask route", found["ours"], found["bare"], "/s", _bar(bench, "≥ 1.0"))


def _while_stored(bench: Bench, said: str, **settings: str) -> Row:
    """Measure at a constant rate; each page that is stored makes every kept answer stale."""
    large, name = bench.effort.large, f"written{said}"
    urls = {one: bench.service(large, name, **settings).url + ANSWERS[one] for one in AGGREGATES}
    urls["bare"] = f"{bench.baseline('bare').url}/top"
    with collecting(bench.url(large, name), latency_ms=1600) as pages_a_second:
        found = bench.in_turn(**{one: partial(p99_ms, [url], bench.effort.seconds) for one, url in urls.items()})
        pace = f"{pages_a_second():.1f} pages a second stored meanwhile"
    bare, work = found.pop("bare"), f"{', '.join(AGGREGATES.values())}, {large:,} tweets, {pace}{said}"
    return row(work, max(found.values(), key=sorted), "ms", at_most=50, note=f" p99, bare Flask {min(bare):.1f}")


def _same(bench: Bench, name: str) -> dict[str, str]:
    """Return the URLs of an answer to few tweets; raises Refused unless the bare app gives the same bytes."""
    urls = {"ours": bench.service(bench.effort.small).url + ANSWERS[name], "bare": f"{bench.baseline('bare').url}/{name}"}
    if answer(urls["ours"]).content != answer(urls["bare"]).content:
        raise Refused("the service and bare Flask answer differently")
    return urls


def _speeds(bench: Bench, urls: dict[str, str], *headers: str) -> dict[str, list[float]]:
    return bench.in_turn(**{name: partial(throughput, url, bench.effort.seconds, *headers) for name, url in urls.items()})


def _bar(bench: Bench, bar: str) -> str:
    """Return what part of bare Flask's speed is to be reached: PostgreSQL is asked for the newest state with each request."""
    return "≥ 0.5" if bench.postgresql else bar
