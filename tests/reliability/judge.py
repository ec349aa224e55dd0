"""The judge of a collector: what the emulator sold to whom, beside what the database says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from typing import Any

from alchemy import open_database
from collector.ledger.prices import Billing, Prices
from collector.verification import faults
from emulator import Emulator
from emulator.query import parse
from emulator.world import snowflake
from emulator.world.world import PostRange
from tests.fixtures.databases import asked

Sold = tuple[str, int]
BILLING = Billing(Prices(5_000, 10_000))
BY_IDS = "ids"
"""In place of a query where posts are requested by their ids; LookJudge judges these."""


class Judge:
    """Hears of every sale: which query bought which post on which day, and how often. `url` is the collector's database."""

    def __init__(self, emulator: Emulator, url: str, monkeypatch: Any) -> None:
        self._emulator, self.url = emulator, url
        self.days: dict[Sold, set[str]] = defaultdict(set)
        self.times: Counter[Sold] = Counter()
        self.posts: dict[str, set[int]] = defaultdict(set)
        self.excused: dict[str, set[int]] = {}
        self.last_sold: dict[int, int] = {}
        sell = emulator.ledger.sell

        def sold(at_ms: int, *, posts: Sequence[int], users: Sequence[int], query: str) -> None:
            day = snowflake.rfc3339(at_ms)[:10]
            self.posts[day] |= set(posts)
            self.last_sold |= dict.fromkeys(posts, at_ms)
            for post in posts if query != BY_IDS else ():
                self.days[query, post].add(day)
                self.times[query, post] += 1
            sell(at_ms, posts=posts, users=users, query=query)

        self.users: dict[str, set[int]] = defaultdict(set)
        self.excused_users: dict[str, set[int]] = {}
        sell_users = emulator.ledger.sell_users

        def sold_users(at_ms: int, users: Sequence[int]) -> None:
            self.users[snowflake.rfc3339(at_ms)[:10]] |= set(users)
            sell_users(at_ms, users)

        monkeypatch.setattr(emulator.ledger, "sell", sold)
        monkeypatch.setattr(emulator.ledger, "sell_users", sold_users)

    @property
    def today(self) -> str:
        return snowflake.rfc3339(self._emulator.clock.now_ms())[:10]

    def served(self, post: int) -> int:
        """Return how often X answered with a post."""
        return sum(self._emulator.ledger.times_served(post).values())

    def bill(self, month: str) -> int:
        """Return what X may charge for a month, such as 2026-11, in micro-dollars."""
        return sum(sales.ceiling for day, sales in self._emulator.ledger.days().items() if day[:7] == month) * 1_000

    def held(self, month: str) -> int:
        """Return what is booked in a month, or reserved in it, in micro-dollars."""
        ((booked,),) = self.rows("SELECT coalesce(sum(ceiling), 0) FROM spends WHERE day LIKE ?", f"{month}-%")
        may = "in_flight OR (substr(day, 1, 7) <= ? AND ? <= substr(last, 1, 7))"
        ((reserved,),) = self.rows(f"SELECT coalesce(sum(micro), 0) FROM reservations WHERE {may}", month, month)
        return int(booked) + int(reserved)

    def lost(self, day: str) -> set[int]:
        """Return the posts that X sold on a day and that never arrived."""
        bought = self.rows("SELECT object_id FROM purchases WHERE day = ? AND kind = 'post'", day)
        return self.posts[day] - {row[0] for row in bought}

    def lost_users(self, day: str) -> set[int]:
        """Return the users who were looked up on a day and never arrived."""
        bought = self.rows("SELECT object_id FROM purchases WHERE day = ? AND kind = 'user'", day)
        return self.users[day] - {row[0] for row in bought}

    def users_sold_twice(self) -> list[int]:
        """Return the users who were looked up twice within a week, but for those who were in flight when a day ended."""
        found, last = set[int](), dict[int, date]()
        for day in sorted(self.users):
            for user in self.users[day] - self.excused_users.get(day, set()):
                now = date.fromisoformat(day)
                if user in last and (now - last[user]).days < 7:
                    found.add(user)
                last[user] = now
        return sorted(found)

    def end_of(self, day: str) -> None:
        """Excuse what was in flight at a kill when its day ended: nobody can know that it was sold."""
        self.excused[day], self.excused_users[day] = self.lost(day), self.lost_users(day)

    def sold_twice(self) -> list[Sold]:
        """Return the posts that a query bought on several days, but for those that were in flight when a day ended."""

        def arrived(sold: Sold) -> list[str]:
            return [day for day in self.days[sold] if sold[1] not in self.excused.get(day, ())]

        return sorted(sold for sold in self.days if len(arrived(sold)) > 1)

    def faults(self) -> list[str]:
        """Return what `database verify` finds."""
        with closing(open_database(self.url)) as database:
            return faults(database, BILLING)

    def differences(self, day: str) -> list[str]:
        """Return where our ledger of a day differs from the emulator's, but for what never arrived."""
        lost = self.excused.get(day, self.lost(day))
        entries = self.rows("SELECT sum(posts), sum(users) FROM spends WHERE day = ?", day)
        posts, users = (number or 0 for number in entries[0])
        sold = self._emulator.ledger.days().get(day)
        sold_posts, sold_users = (sold.posts_billed, sold.users_billed) if sold else (0, 0)
        found = [] if posts == sold_posts - len(lost) else [f"{day}: {posts} posts booked, {sold_posts} sold, {len(lost)} lost"]
        is_whole = not lost and not self.excused_users.get(day, self.lost_users(day))
        wrong = users > sold_users or (is_whole and users != sold_users)
        return [*found, f"{day}: {users} users booked, {sold_users} sold"] if wrong else found

    def overrun(self) -> list[str]:
        """Return the months of which the emulator's bill is more than what is booked and reserved."""
        found = []
        for month in sorted({day[:7] for day in self._emulator.ledger.days()}):
            if (billed := self.bill(month)) > (held := self.held(month)):
                found.append(f"{month}: {billed} billed, {held} booked and reserved")
        return found

    def missing(self, tag: str) -> list[int]:
        """Return the posts of a tag that X shows and the database lacks, from the first sold up to where it was read.

        Those that were removed, because X said so, are left out.
        """
        (tag_id, since_id), *_ = self.rows("SELECT id, since_id FROM tags WHERE tag = ?", tag)
        gaps = self.rows("SELECT since_id, before FROM listings WHERE tag_id = ?", tag_id)
        stored = {row[0] for row in self.rows("SELECT tweet_id FROM tweet_tags WHERE tag_id = ?", tag_id)}
        stored |= {row[0] for row in self.rows("SELECT id FROM tombstones")}
        first = min(post for query, post in self.days if query.split()[0] == tag)
        world: Any = self._emulator.state.world
        return [
            post.id
            for post in world.posts(parse(tag), PostRange(first - 1, since_id + 1, self._emulator.clock.now_ms()))
            if post.root not in stored and not any((since or 0) < post.id < before for since, before in gaps)
        ]

    def rows(self, query: str, *values: Any) -> list[Any]:
        return asked(self.url, query, *values)
