"""Pages of 100 of many tweets at any depth, by each order and filter, and the first page of a search.

Cursors are collected by walking a list in large pages, to its end or for as long as is allowed. The cache is off: each page
is made anew. What a bare route has at the same rate is told beside: what the machine adds by itself.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import median
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from benchmarks.contestants import Contestants, answer
from benchmarks.effort import Effort, interleaved
from benchmarks.invented import sought
from benchmarks.load import Refused, each_ms, in_turn_ms, p99, steady_ms
from benchmarks.table import Row, refused

PAGE = 100
BAR_MS, SEARCH_BAR_MS = 25, 50
BY_TIME, BY_FOLLOWERS = ("id", "-id", "created", "-created"), ("followers", "-followers")
HOPELESS = 4
FLOOR = "(bare Flask)"
TRIED = 3


class Listing(NamedTuple):
    """A list in an order: its parameters, its URLs of pages at several depths, and how far it was walked."""

    sort: str
    urls: list[str]
    depth: int
    whole: bool


def pages(among: Contestants) -> Iterator[Row]:
    """Measure each order without a filter, each filter by id and created, and the other pairs."""
    yield _row(among, {}, (*BY_TIME, *BY_FOLLOWERS))
    filters = [{name: value} for name, values in sought(among.effort.large).items() for value in values.values()]
    yield from (_row(among, filtered, BY_TIME) for filtered in filters)
    yield from (_other(among, filtered) for filtered in filters)


def searches(among: Contestants) -> Iterator[Row]:
    """Measure the first page, by id, of a word that many tweets have and of one that few have."""
    effort, url = among.effort, among.ours(among.effort.large, cached=False).url
    urls = {word: _url(url, {"q": word, "sort": "id"}) for word in sought(effort.large)["q"].values()}
    yield _tried(f"search, first page by id, {effort.large:,} tweets", SEARCH_BAR_MS, partial(_searched, among, urls))


def _searched(among: Contestants, urls: Mapping[str, str]) -> tuple[str, bool]:
    for url in urls.values():
        answer(url)
    effort, floor = among.effort, {FLOOR: among.bare().url + "/top"}
    measures = {name: partial(steady_ms, url, effort.rate, effort.steady_s) for name, url in {**urls, **floor}.items()}
    each = _p99s(interleaved(effort, measures))
    return _said(effort, each), max(each[word] for word in urls) <= SEARCH_BAR_MS


def _row(among: Contestants, filtered: Mapping[str, str], sorts: tuple[str, ...]) -> Row:
    work = f"page of {PAGE}, {among.effort.large:,} tweets, {_named(filtered)}"
    return _tried(work, BAR_MS, partial(_paged, among, filtered, sorts))


def _paged(among: Contestants, filtered: Mapping[str, str], sorts: tuple[str, ...]) -> tuple[str, bool]:
    """Measure pages at a constant rate, but where a few alone take far too long: they would wait for each other for ever."""
    effort, listings = among.effort, [_walked(among, filtered, sort) for sort in sorts]
    alone = {listing.sort: max(in_turn_ms(listing.urls[:TRIED])) for listing in listings}
    if max(alone.values()) > HOPELESS * BAR_MS:
        return f"one alone takes up to {_worst(alone)}", False
    urls = {listing.sort: listing.urls for listing in listings} | {FLOOR: [among.bare().url + "/top"] * effort.pages}
    each = _p99s(interleaved(effort, {name: partial(each_ms, asked, effort.rate) for name, asked in urls.items()}))
    return f"{_said(effort, each)}; {_depth(listings)}", max(each[sort] for sort in sorts) <= BAR_MS


def _other(among: Contestants, filtered: Mapping[str, str]) -> Row:
    """Report a filter by followers, one page after the other."""
    work = f"page of {PAGE}, {among.effort.large:,} tweets, {_named(filtered)}, by followers"
    try:
        listings = [_walked(among, filtered, sort) for sort in BY_FOLLOWERS]
        found = {listing.sort: p99(in_turn_ms(listing.urls[: 2 * TRIED])) for listing in listings}
    except Refused as refusal:
        return refused(work, "within the statement limit", refusal)
    return Row(work, "within the statement limit", f"alone up to {_worst(found)}; {_depth(listings)}", met=True)


def _tried(work: str, bar: float, measure: partial[tuple[str, bool]]) -> Row:
    try:
        return Row(work, f"p99 ≤ {bar} ms", *measure())
    except Refused as refusal:
        return refused(work, f"p99 ≤ {bar} ms", refusal)


def _walked(among: Contestants, filtered: Mapping[str, str], sort: str) -> Listing:
    """Walk a list in large pages, and choose as many URLs of its pages as are measured; raises Refused."""
    effort, url = among.effort, among.ours(among.effort.large, cached=False).url
    asked, cursors = {**filtered, "sort": sort}, list[str | None]([None])
    deadline, following = time.monotonic() + effort.walk_s, _next(url, asked, None, effort.walk_page)
    while following and time.monotonic() < deadline:
        cursors.append(following)
        following = _next(url, asked, following, effort.walk_page)
    chosen = random.Random(sort).choices(cursors, k=effort.pages)
    return Listing(sort, [_url(url, asked, cursor) for cursor in chosen], len(cursors) * effort.walk_page, not following)


def _next(url: str, asked: Mapping[str, str], cursor: str | None, limit: int) -> str | None:
    """Return the cursor of what follows a large page, or None at the end."""
    path = answer(_url(url, asked, cursor, limit=limit)).json().get("next")
    return parse_qs(urlsplit(path).query)["cursor"][0] if path else None


def _url(url: str, asked: Mapping[str, str], cursor: str | None = None, *, limit: int = PAGE) -> str:
    return f"{url}/tweets?{urlencode({**asked, 'limit': str(limit)} | ({'cursor': cursor} if cursor else {}))}"


def _p99s(found: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, float]:
    return {name: median([p99(latencies) for latencies in rounds]) for name, rounds in found.items()}


def _said(effort: Effort, each: Mapping[str, float]) -> str:
    return f"p99 in ms at {effort.rate}/s: " + ", ".join(f"{name} {value:.1f}" for name, value in each.items())


def _named(filtered: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in filtered.items()) or "no filter"


def _worst(found: Mapping[str, float]) -> str:
    sort = max(found, key=lambda each: found[each])
    return f"{found[sort]:.1f} ms ({sort})"


def _depth(listings: list[Listing]) -> str:
    if all(listing.whole for listing in listings):
        return "at any depth"
    return f"at depths up to {min(listing.depth for listing in listings if not listing.whole):,}"
