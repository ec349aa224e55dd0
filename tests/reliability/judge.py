"""The judge of a collector: what the emulator sold to whom, beside what the database says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite

from alchemy import Database
from collector.money.prices import Billing, Prices
from collector.verification import faults
from emulator import Emulator, snowflake
from emulator.grammar import parse
from emulator.world import Span

Sold = tuple[str, int]
BILLING = Billing(Prices(5_000, 10_000))


class Judge:
    """Hears of every sale: which query bought which post on which day."""

    def __init__(self, emulator: Emulator, file: Path, monkeypatch: Any) -> None:
        self._emulator, self._file = emulator, file
        self.days: dict[Sold, set[str]] = defaultdict(set)
        self.posts: dict[str, set[int]] = defaultdict(set)
        self.users: dict[str, set[int]] = defaultdict(set)
        self.excused: dict[str, set[int]] = {}
        sell = emulator.ledger.sell

        def sold(at_ms: int, *, posts: Sequence[int], users: Sequence[int], query: str) -> None:
            day = snowflake.rfc3339(at_ms)[:10]
            self.posts[day] |= set(posts)
            self.users[day] |= set(users)
            for post in posts:
                self.days[query, post].add(day)
            sell(at_ms, posts=posts, users=users, query=query)

        monkeypatch.setattr(emulator.ledger, "sell", sold)

    @property
    def today(self) -> str:
        return snowflake.rfc3339(self._emulator.clock.now_ms())[:10]

    def lost(self, day: str) -> set[int]:
        """Return the posts that X sold on a day and that never arrived."""
        return self.posts[day] - self._bought(day, "post")

    def end_of(self, day: str) -> None:
        """Excuse what was in flight at a kill when its day ended: nobody can know that it was sold."""
        self.excused[day] = self.lost(day)

    def sold_twice(self) -> list[Sold]:
        """Return the posts that a query bought on several days, but for those that were in flight when a day ended."""
        found = []
        for (query, post), days in self.days.items():
            arrived = [day for day in days if post not in self.excused.get(day, ())]
            if len(arrived) > 1:
                found.append((query, post))
        return sorted(found)

    def faults(self) -> list[str]:
        """Return what `database verify` finds."""
        with closing(Database(f"sqlite:///{self._file}")) as database:
            return faults(database, BILLING)

    def differences(self, day: str) -> list[str]:
        """Return where our ledger of a day differs from the emulator's, but for what never arrived."""
        lost = self.excused.get(day, self.lost(day))
        entries = self._rows("SELECT sum(posts), sum(users) FROM spends WHERE day = ?", day)
        posts, users = (number or 0 for number in entries[0])
        sold = self._emulator.ledger.days().get(day)
        sold_posts, sold_users = (sold.posts_billed, sold.users_billed) if sold else (0, 0)
        found = [] if posts == sold_posts - len(lost) else [f"{day}: {posts} posts booked, {sold_posts} sold, {len(lost)} lost"]
        wrong = users > sold_users or (not lost and users != sold_users)
        return [*found, f"{day}: {users} users booked, {sold_users} sold"] if wrong else found

    def overrun(self) -> list[str]:
        """Return the months of which the emulator's bill is more than what is booked and reserved."""
        days, found = self._emulator.ledger.days(), []
        for month in sorted({day[:7] for day in days}):
            billed = sum(sales.ceiling for day, sales in days.items() if day[:7] == month) * 1_000
            ((booked,),) = self._rows("SELECT coalesce(sum(ceiling), 0) FROM spends WHERE day LIKE ?", f"{month}-%")
            may = "in_flight OR (substr(day, 1, 7) <= ? AND ? <= substr(last, 1, 7))"
            ((reserved,),) = self._rows(f"SELECT coalesce(sum(micro), 0) FROM reservations WHERE {may}", month, month)
            if billed > booked + reserved:
                found.append(f"{month}: {billed} billed, {booked} booked, {reserved} reserved")
        return found

    def missing(self, tag: str, *, first: int) -> list[int]:
        """Return the posts of a tag that X shows and the database lacks, from the id `first` up to where the tag was read."""
        (tag_id, since_id), *_ = self._rows("SELECT id, since_id FROM tags WHERE tag = ?", tag)
        gaps = self._rows("SELECT since_id, before FROM listings WHERE tag_id = ?", tag_id)
        stored = {row[0] for row in self._rows("SELECT tweet_id FROM tweet_tags WHERE tag_id = ?", tag_id)}
        return [
            post.id
            for post in self._shown(tag, first - 1, since_id + 1)
            if post.root not in stored and not any((since or 0) < post.id < before for since, before in gaps)
        ]

    def _shown(self, tag: str, after: int, before: int) -> Iterator[Any]:
        world: Any = self._emulator._api.world
        return iter(tuple(world.posts(parse(tag), Span(after, before, self._emulator.clock.now_ms()))))

    def first(self, tag: str) -> int:
        """Return the oldest post that was sold of a tag."""
        return min(post for query, post in self.days if query == tag)

    def _bought(self, day: str, kind: str) -> set[int]:
        return {row[0] for row in self._rows("SELECT object_id FROM purchases WHERE day = ? AND kind = ?", day, kind)}

    def execute(self, statement: str) -> None:
        with closing(sqlite.connect(self._file)) as connection, connection:
            connection.execute(statement)

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with closing(sqlite.connect(self._file)) as connection:
            return list(connection.execute(query, values))
