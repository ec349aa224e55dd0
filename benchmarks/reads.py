"""Reads: all of few tweets, the aggregates of few and many, what has not changed, and aggregates while pages are stored.

Then all of many tweets in one response: its time beside SQLite's own shell, its first byte, and the worker's memory.
"""

import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.baselines import ANSWERS
from benchmarks.bench import UNCACHED, Bench, Row, kept_file, ratio, row
from benchmarks.load import Refused, answer, fetch, p99_ms, throughput
from benchmarks.servers import Server, memory_mb
from benchmarks.storing import collecting

AGGREGATES = {"top": "top 5", "hours": "per hour", "tags": "per tag"}


def reads(bench: Bench) -> Iterator[Row]:
    """Measures throughput beside bare Flask and the naive service, and then p99 while a collection stores pages."""
    yield from _tweets(bench)
    for name in AGGREGATES:
        yield from _aggregate(bench, name)
    yield from _unchanged(bench)
    yield _while_stored(bench, "")
    yield _while_stored(bench, ", cache off", **UNCACHED)


def _tweets(bench: Bench) -> Iterator[Row]:
    small, urls = bench.effort.small, _identical_urls(bench, "tweets")
    urls |= {"naive": f"{bench.baseline('naive').url}/tweets", "uncached": f"{bench.service(small, **UNCACHED).url}/tweets"}
    if len(answer(urls["naive"]).json()["tweets"]) != small:
        raise Refused("the naive service does not answer with all tweets")
    found, work = _speeds(bench, urls), f"GET /tweets, {small:,} tweets"
    yield ratio(f"{work}, × naive", found["ours"], found["naive"], "/s", "≥ 30")
    yield ratio(f"{work}, cache off, × naive", found["uncached"], found["naive"], "/s", "≥ 2.5")
    yield ratio(f"{work}, × bare Flask", found["ours"], found["bare"], "/s", _bar(bench, "≥ 1.0"))


def _aggregate(bench: Bench, name: str) -> Iterator[Row]:
    small, large, work = bench.effort.small, bench.effort.large, AGGREGATES[name]
    found = _speeds(bench, _identical_urls(bench, name) | {"large": bench.service(large).url + ANSWERS[name]})
    yield ratio(f"{work}, {small:,} tweets, × bare Flask", found["ours"], found["bare"], "/s", _bar(bench, "≥ 1.5"))
    yield ratio(f"{work}, {large:,} tweets × {small:,}", found["large"], found["ours"], "/s", "≥ 0.9")


def _unchanged(bench: Bench) -> Iterator[Row]:
    """Measures answers to clients that have the newest body already, and /livez."""
    ours, bare = bench.service(bench.effort.small).url, bench.baseline("bare").url
    tag = answer(f"{ours}/tweets").headers["ETag"]
    answer(f"{ours}/tweets", expected=304, **{"If-None-Match": tag})
    found = _speeds(bench, {"ours": f"{ours}/tweets", "bare": f"{bare}/unchanged"}, f"If-None-Match: {tag}")
    yield ratio("If-None-Match → 304, × bare Flask", found["ours"], found["bare"], "/s", _bar(bench, "≥ 1.5"))
    found = _speeds(bench, {"ours": f"{ours}/livez", "bare": f"{bare}/livez"})
    yield ratio("/livez × an empty Flask route", found["ours"], found["bare"], "/s", _bar(bench, "≥ 1.0"))


def _while_stored(bench: Bench, label: str, **settings: str) -> Row:
    """Measures at a constant rate, while each stored page makes all cached answers stale."""
    large, name = bench.effort.large, f"written{label}"
    urls = {one: bench.service(large, name, **settings).url + ANSWERS[one] for one in AGGREGATES}
    urls["bare"] = f"{bench.baseline('bare').url}/top"
    with collecting(bench.url(large, name), latency_ms=1600) as pages_a_second:
        found = bench.in_turns(**{one: partial(p99_ms, [url], bench.effort.seconds) for one, url in urls.items()})
        pace = f"{pages_a_second():.1f} pages a second stored meanwhile"
    bare, work = found.pop("bare"), f"{', '.join(AGGREGATES.values())}, {large:,} tweets, {pace}{label}"
    return row(work, max(found.values(), key=sorted), "ms", at_most=50, note=f" p99, bare Flask {min(bare):.1f}")


def _identical_urls(bench: Bench, name: str) -> dict[str, str]:
    """Returns the service's and the bare app's URL of an answer; raises Refused unless both give the same bytes."""
    urls = {"ours": bench.service(bench.effort.small).url + ANSWERS[name], "bare": f"{bench.baseline('bare').url}/{name}"}
    if answer(urls["ours"]).content != answer(urls["bare"]).content:
        raise Refused("the service and bare Flask answer differently")
    return urls


def _speeds(bench: Bench, urls: dict[str, str], *headers: str) -> dict[str, list[float]]:
    return bench.in_turns(**{name: partial(throughput, url, bench.effort.seconds, *headers) for name, url in urls.items()})


def _bar(bench: Bench, bar: str) -> str:
    """Returns the bar beside bare Flask: on PostgreSQL each request queries the newest state."""
    return "≥ 0.5" if bench.postgresql else bar


SAME_COLUMNS = """
    SELECT t.text AS tweet, a.name AS author, a.followers, t.created, t.lang, t.country, t.country_code, r.tag AS rash,
    CAST(t.id AS text) AS id, a.username, a.observed,
    CASE WHEN t.author_id >= 0 THEN CAST(t.author_id AS text) END AS author_id,
    (SELECT json_group_array(tag) FROM
        (SELECT g.tag FROM tweet_tags l JOIN tags g ON g.id = l.tag_id WHERE l.tweet_id = t.id ORDER BY g.key)) AS tags,
    (SELECT json_group_array(CAST(id AS text)) FROM
        (SELECT t.id AS id UNION ALL SELECT v.id FROM versions v WHERE v.tweet_id = t.id)) AS versions,
    CAST(t.version AS text) AS version
    FROM tweets t LEFT JOIN authors a ON a.id = t.author_id LEFT JOIN tags r ON r.id = t.rash_id ORDER BY t.id
"""


def dumps(bench: Bench) -> Iterator[Row]:
    """Measures a dump in each format, the cache off, beside `sqlite3 -json` of the same columns."""
    server, file = bench.service(bench.effort.large, **UNCACHED), kept_file(bench.effort.large)
    for path in ("/tweets", "/tweets?format=ndjson"):
        found = bench.in_turns(ours=partial(dump, server, path), shell=partial(shell, file))
        first_ms, seconds, growth_mb = zip(*found["ours"], strict=True)
        work = f"GET {path}, all {bench.effort.large:,}"
        yield ratio(f"{work}, × `sqlite3 -json`", seconds, [took for _, took, _ in found["shell"]], "s", "≤ 1.5")
        yield row(f"{work}, first byte", first_ms, "ms", at_most=50)
        yield row(f"{work}, growth of the worker", [max(growth_mb)], "MB", at_most=32)


def dump(server: Server, path: str) -> tuple[float, float, float]:
    """Returns the milliseconds to the first byte, the seconds of all, and by how many MB the worker grew meanwhile."""
    before = memory_mb(server.worker, "Rss")
    Path(f"/proc/{server.worker}/clear_refs").write_text("5")
    taken = fetch(server.url + path)
    return taken.first_ms, taken.ms / 1000, memory_mb(server.worker, "VmHWM") - before


def shell(file: Path) -> tuple[float, float, float]:
    """Returns the same for SQLite's shell, of which only the seconds are measured."""
    begun = time.perf_counter()
    subprocess.run(["sqlite3", "-readonly", "-json", str(file), SAME_COLUMNS], stdout=subprocess.DEVNULL, check=True)
    return 0, time.perf_counter() - begun, 0
