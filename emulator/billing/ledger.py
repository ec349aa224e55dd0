"""What the emulator sold: the judge of whether a program pays twice.

X's pricing: an object is billed once per UTC calendar day; an empty page and a failed call are free. Prices in
thousandths of a dollar. Days are written YYYY-MM-DD, UTC, by the emulator's clock.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from emulator.world import snowflake

POST_PRICE, USER_PRICE, COUNTS_PRICE, COUNTS_ALL_PRICE = 5, 10, 5, 10


class Day(NamedTuple):
    """A day's sales. billed counts distinct objects, served every time one was sent."""

    posts_billed: int
    posts_served: int
    users_billed: int
    users_served: int
    requests: int
    counts_calls: int
    counts_all_calls: int

    @property
    def floor(self) -> int:
        """The price if X bills posts and counts only, in thousandths of a dollar."""
        counts = self.counts_calls * COUNTS_PRICE + self.counts_all_calls * COUNTS_ALL_PRICE
        return self.posts_billed * POST_PRICE + counts

    @property
    def ceiling(self) -> int:
        """The price if X bills the included users as well, in thousandths of a dollar."""
        return self.floor + self.users_billed * USER_PRICE


class Sale(NamedTuple):
    """How often one post was served on one day; it was billed once that day."""

    day: str
    served: int


class _DayEntries:
    """One day's entries: how often each id was served."""

    def __init__(self) -> None:
        self.posts: dict[int, int] = {}
        self.users: dict[int, int] = {}
        self.calls: Counter[str] = Counter()


class Ledger:
    """Sales by UTC day. Safe to use from several threads; holds one entry a post and day."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sheets: defaultdict[str, _DayEntries] = defaultdict(_DayEntries)

    def sell(self, at_ms: int, *, posts: Sequence[int], users: Sequence[int], query: str) -> None:
        """Record a page that was answered 200; the query is for those who listen in."""
        with self._lock:
            sheet = self._sheets[_day(at_ms)]
            sheet.calls["search"] += 1
            _add(sheet.posts, posts)
            _add(sheet.users, users)

    def sell_counts(self, at_ms: int, *, archive: bool) -> None:
        """Record an answered call of counts, of the last days or of the archive."""
        with self._lock:
            self._sheets[_day(at_ms)].calls["counts_all" if archive else "counts"] += 1

    def days(self) -> dict[str, Day]:
        """Return the sales of each day, oldest first."""
        with self._lock:
            return {day: _totals(self._sheets[day]) for day in sorted(self._sheets)}

    def total(self) -> Day:
        """Return the sum of all days: a post billed on two days counts twice."""
        return Day(*map(sum, zip(Day(*[0] * len(Day._fields)), *self.days().values(), strict=True)))

    def twice(self) -> dict[int, tuple[str, ...]]:
        """Return the posts billed on several days, lowest id first, with those days."""
        with self._lock:
            times = Counter(post for sheet in self._sheets.values() for post in sheet.posts)
            repeated = sorted(post for post, days in times.items() if days > 1)
            return {post: self._days_of(post) for post in repeated}

    def post(self, post_id: int) -> tuple[Sale, ...]:
        """Return the sales of one post, oldest day first."""
        with self._lock:
            return tuple(
                Sale(day, self._sheets[day].posts[post_id])
                for day in sorted(self._sheets)
                if post_id in self._sheets[day].posts
            )

    def _days_of(self, post_id: int) -> tuple[str, ...]:
        return tuple(day for day in sorted(self._sheets) if post_id in self._sheets[day].posts)

    def posts(self) -> frozenset[int]:
        """Return the ids of every post ever sold."""
        with self._lock:
            return frozenset(post for sheet in self._sheets.values() for post in sheet.posts)

    def reset(self) -> None:
        """Forget every sale."""
        with self._lock:
            self._sheets.clear()


def dollars(thousandths: int) -> str:
    """Return an amount as dollars with three decimals."""
    return f"{thousandths // 1000}.{thousandths % 1000:03d}"


def _day(at_ms: int) -> str:
    return snowflake.rfc3339(at_ms)[:10]


def _add(sheet: dict[int, int], ids: Iterable[int]) -> None:
    for one in ids:
        sheet[one] = sheet.get(one, 0) + 1


def _totals(sheet: _DayEntries) -> Day:
    return Day(
        posts_billed=len(sheet.posts),
        posts_served=sum(sheet.posts.values()),
        users_billed=len(sheet.users),
        users_served=sum(sheet.users.values()),
        requests=sheet.calls["search"],
        counts_calls=sheet.calls["counts"],
        counts_all_calls=sheet.calls["counts_all"],
    )
