"""What the emulator sold: tests compare a program's own ledger with it.

X's pricing: an object is billed once per UTC calendar day; an empty page and a failed call are free. Prices in
thousandths of a dollar. Days are written YYYY-MM-DD, UTC, by the emulator's clock.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from emulator.world import snowflake

POST_PRICE, USER_PRICE, COUNTS_PRICE, COUNTS_ALL_PRICE = 5, 10, 5, 10


class DaySales(NamedTuple):
    """A day's sales. billed counts distinct objects, served every time one was sent; looked_up are those users billed that
    were asked for by their ids, and not as authors of posts.
    """

    posts_billed: int
    posts_served: int
    users_billed: int
    users_served: int
    requests: int
    counts_calls: int
    counts_all_calls: int
    users_looked_up: int

    @property
    def floor(self) -> int:
        """The price if X bills posts, counts and looked-up users only, in thousandths of a dollar."""
        counts = self.counts_calls * COUNTS_PRICE + self.counts_all_calls * COUNTS_ALL_PRICE
        return self.posts_billed * POST_PRICE + counts + self.users_looked_up * USER_PRICE

    @property
    def ceiling(self) -> int:
        """The price if X bills the included users as well, in thousandths of a dollar."""
        return self.floor + (self.users_billed - self.users_looked_up) * USER_PRICE


class _DayEntries:
    """One day's entries: how often each id was served."""

    def __init__(self) -> None:
        self.posts: Counter[int] = Counter()
        self.users: Counter[int] = Counter()
        self.looked_up: Counter[int] = Counter()
        self.calls: Counter[str] = Counter()


class Ledger:
    """Sales by UTC day. Safe to use from several threads; holds one entry a post and day."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._days: defaultdict[str, _DayEntries] = defaultdict(_DayEntries)

    def sell(self, at_ms: int, *, posts: Sequence[int], users: Sequence[int], query: str) -> None:
        """Record a page that was answered 200. query: for tests that replace this method."""
        with self._lock:
            day = self._days[_day(at_ms)]
            day.calls["search"] += 1
            day.posts.update(posts)
            day.users.update(users)

    def sell_users(self, at_ms: int, users: Sequence[int]) -> None:
        """Record an answered look-up of users."""
        with self._lock:
            self._days[_day(at_ms)].looked_up.update(users)

    def sell_counts(self, at_ms: int, *, archive: bool) -> None:
        """Record an answered call of counts, of the last days or of the archive."""
        with self._lock:
            self._days[_day(at_ms)].calls["counts_all" if archive else "counts"] += 1

    def days(self) -> dict[str, DaySales]:
        """Return the sales of each day, oldest first."""
        with self._lock:
            return {day: _totals(self._days[day]) for day in sorted(self._days)}

    def total(self) -> DaySales:
        """Return the sum of all days: a post billed on two days counts twice."""
        return DaySales(*map(sum, zip(DaySales(*[0] * len(DaySales._fields)), *self.days().values(), strict=True)))

    def twice(self) -> dict[int, tuple[str, ...]]:
        """Return the posts billed on several days, lowest id first, with those days."""
        days: defaultdict[int, list[str]] = defaultdict(list)
        with self._lock:
            for day in sorted(self._days):
                for post in self._days[day].posts:
                    days[post].append(day)
        return {post: tuple(days[post]) for post in sorted(days) if len(days[post]) > 1}

    def times_served(self, post_id: int) -> dict[str, int]:
        """Return how often a post was served on each day on which it was, oldest first; it was billed once on each."""
        with self._lock:
            return {day: self._days[day].posts[post_id] for day in sorted(self._days) if post_id in self._days[day].posts}

    def posts(self) -> frozenset[int]:
        """Return the ids of every post ever sold."""
        with self._lock:
            return frozenset(post for day in self._days.values() for post in day.posts)

    def reset(self) -> None:
        with self._lock:
            self._days.clear()


def dollars(thousandths: int) -> str:
    """Return an amount as dollars with three decimals."""
    return f"{thousandths // 1000}.{thousandths % 1000:03d}"


def _day(at_ms: int) -> str:
    return snowflake.rfc3339(at_ms)[:10]


def _totals(day: _DayEntries) -> DaySales:
    return DaySales(
        posts_billed=len(day.posts),
        posts_served=sum(day.posts.values()),
        users_billed=len(day.users | day.looked_up),
        users_served=sum(day.users.values()) + sum(day.looked_up.values()),
        requests=day.calls["search"],
        counts_calls=day.calls["counts"],
        counts_all_calls=day.calls["counts_all"],
        users_looked_up=len(day.looked_up),
    )
