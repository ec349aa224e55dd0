"""Throughput: all of few tweets, the aggregates of few and many, and what has not changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median

from benchmarks.contestants import ANSWERS, HOURS, TAGS, Contestants, answer
from benchmarks.effort import interleaved
from benchmarks.load import Refused, throughput
from benchmarks.table import Row, middle

TIMES_NAIVE, TIMES_NAIVE_UNCACHED, OF_SMALL = 30, 2.5, 0.9
OF_BARE, OF_BARE_ON_A_SERVER = {"tweets": 1.0, "aggregates": 1.5, "unchanged": 1.5, "livez": 1.0}, 0.5
AGGREGATES = {"/top": "top 5", HOURS: "per hour", TAGS: "per tag"}


def tweets(among: Contestants) -> Iterator[Row]:
    """Measure GET /tweets of few tweets beside all others."""
    urls = {
        "ours": among.ours(among.effort.small).url + "/tweets",
        "uncached": among.ours(among.effort.small, cached=False).url + "/tweets",
        "naive": among.naive().url + "/tweets",
        "bare": among.bare().url + "/tweets",
        "peer": among.peer("/tweets"),
    }
    _require_same(urls)
    found = _speeds(among, urls)
    work, ours = f"GET /tweets, {among.effort.small:,} tweets", found["ours"]
    yield _ratio(f"{work}, × naive", ours, found["naive"], TIMES_NAIVE)
    yield _ratio(f"{work}, × bare Flask", ours, found["bare"], _bar(among, "tweets"))
    yield _ratio(f"{work}, cache off, × naive", found["uncached"], found["naive"], TIMES_NAIVE_UNCACHED)
    yield Row(f"{work}, Datasette", "", f"{middle(found['peer'], digits=0)}/s")


def aggregates(among: Contestants) -> Iterator[Row]:
    """Measure the three aggregates of few tweets beside the bare app, and of many beside few."""
    small, large = among.ours(among.effort.small), among.ours(among.effort.large)
    for path, name in AGGREGATES.items():
        urls = {"ours": small.url + ANSWERS[path], "large": large.url + ANSWERS[path]}
        urls |= {"naive": among.naive().url + ANSWERS[path], "bare": among.bare().url + path, "peer": among.peer(path)}
        _require_same(urls)
        found = _speeds(among, urls)
        work = f"{name}, {among.effort.small:,} tweets"
        yield _ratio(f"{work}, × bare Flask", found["ours"], found["bare"], _bar(among, "aggregates"))
        yield _ratio(f"{name}, {among.effort.large:,} tweets, × few", found["large"], found["ours"], OF_SMALL)
        yield Row(
            f"{work}, naive and Datasette", "", " and ".join(f"{middle(found[one], digits=0)}/s" for one in ("naive", "peer"))
        )


def unchanged(among: Contestants) -> Iterator[Row]:
    """Measure what a client gets who has the newest answer already, and whether the process is alive."""
    url, bare = among.ours(among.effort.small).url + "/tweets", among.bare().url + "/unchanged"
    plain = {"Accept-Encoding": "identity"}  # as wrk asks; what is compressed has another ETag
    asked = {**plain, "If-None-Match": answer(url, headers=plain).headers.get("ETag", "none")}
    answer(url, expected=304, headers=asked)
    found = _speeds(among, {"ours": url, "bare": bare}, f"If-None-Match: {asked['If-None-Match']}")
    yield _ratio("If-None-Match → 304, × bare Flask", found["ours"], found["bare"], _bar(among, "unchanged"))
    found = _speeds(among, {"ours": among.ours(among.effort.small).url + "/livez", "bare": among.bare().url + "/empty"})
    yield _ratio("/livez, × an empty Flask route", found["ours"], found["bare"], _bar(among, "livez"))


def _bar(among: Contestants, work: str) -> float:
    """Return what part of bare Flask's speed is to be reached: on a server each request asks it for the newest state."""
    return OF_BARE_ON_A_SERVER if among.cluster else OF_BARE[work]


def _speeds(among: Contestants, urls: dict[str, str], *headers: str) -> dict[str, list[float]]:
    seconds = among.effort.busy_s
    return interleaved(among.effort, {name: partial(throughput, url, seconds, *headers) for name, url in urls.items()})


def _require_same(urls: dict[str, str]) -> None:
    """Raise Refused unless the bare app gives the service's bytes, and the naive one the same JSON."""
    ours = answer(urls["ours"])
    if answer(urls["bare"]).content != ours.content or answer(urls["naive"]).json() != ours.json():
        raise Refused(f"{urls['ours']} and the baselines differ")


def _ratio(work: str, ours: Sequence[float], other: Sequence[float], bar: float) -> Row:
    if not median(other):
        raise Refused(f"{work}: the other answered nothing")
    ratio = median(ours) / median(other)
    speeds = " beside ".join(f"{middle(speed, digits=0)}/s" for speed in (ours, other))
    return Row(work, f"≥ {bar}", f"{ratio:.2f}: {speeds}", met=ratio >= bar)
