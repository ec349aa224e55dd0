"""The judge of second looks: what X was asked for by ids, beside what it had sold, and what was removed."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from emulator.endpoints import lookup, search
from emulator.world import snowflake
from tests.reliability.judge import Judge

OPENS, CLOSES = time(22), time(23, 30)
AN_HOUR, A_SECOND = timedelta(hours=1), timedelta(seconds=1)
NOT_FOUND = "/resource-not-found"
PURCHASED_SHOWN = (
    "SELECT object_id FROM purchases JOIN tweets ON version = object_id WHERE day = ? AND kind = 'post' "
    "EXCEPT SELECT object_id FROM purchases WHERE day = ? AND kind = 'post in doubt'"
)
ORDERS = "SELECT run_id FROM reservations WHERE request = ? OR request LIKE ?"
"""The order for which ids are requested; a budget that ends may cut the list."""
DAY_DONE = "SELECT count(*) FROM counters WHERE name = 'refresh' AND (label, value) IN (VALUES ('day', ?), ('done', 1))"


class AskedLook(NamedTuple):
    """A request by ids that X answered. `anew` are the posts that it sold for money, `gone` what it said not to exist.

    `run_id` is that of an order, None if the day's purchases were read.
    """

    at: datetime
    ids: frozenset[int]
    sold: frozenset[int]
    anew: frozenset[int]
    gone: frozenset[int]
    run_id: int | None


class LookJudge:
    """Hears of every look-up. An order's looks count as its purchases; `allowed` says whether the setting allows the others."""

    def __init__(self, judge: Judge, monkeypatch: Any) -> None:
        self._judge, self.allowed = judge, True
        self.looks: list[AskedLook] = []
        self.wrong: list[str] = []
        self._may_go, self._gone_before = set[int](), dict[int, datetime]()

        def sell_page(state: Any, request: Any, page: Any, *, query: str) -> Any:
            known = set(judge.posts[snowflake.rfc3339(request.now_ms)[:10]])
            answer = search.sell_page(state, request, page, query=query)
            self._hear(snowflake.to_datetime(request.now_ms), request.call.params["ids"], json.loads(answer.body), known)
            return answer

        monkeypatch.setattr(lookup, "sell_page", sell_page)

    def _hear(self, at: datetime, ids: str, body: Any, known: set[int]) -> None:
        orders = self._judge.rows(ORDERS, f"tweets {ids}", f"tweets {ids},%")
        sold = frozenset(int(one["id"]) for one in body.get("data", ()))
        gone = frozenset(int(one["resource_id"]) for one in body.get("errors", ()) if one["type"].endswith(NOT_FOUND))
        requested = frozenset(map(int, ids.split(",")))
        look = AskedLook(at, requested, sold, sold - known, gone & requested, orders[0][0] if orders else None)
        self._judge_removal(look)
        self._judge_order(look) if orders else self._judge_same_day(look)
        self.looks.append(look)

    def _judge_order(self, look: AskedLook) -> None:
        for post in look.anew:
            self._judge.days[f"order {look.run_id}", post].add(f"{look.at:%Y-%m-%d}")

    def _judge_same_day(self, look: AskedLook) -> None:
        """Hold that a look of the evening costs nothing, comes in time, and is wanted."""
        if look.anew:
            self.wrong.append(f"{look.at}: {len(look.anew)} posts paid for by the evening's look")
        if not OPENS <= look.at.time() < (datetime.combine(look.at, CLOSES) + A_SECOND).time():
            self.wrong.append(f"{look.at}: asked outside of the evening")
        if not self.allowed or self.off:
            self.wrong.append(f"{look.at}: asked although it was off")
        again = {post for other in self.of_day(f"{look.at:%Y-%m-%d}") for post in other.sold & look.ids}
        if again:
            self.wrong.append(f"{look.at}: {len(again)} posts asked for twice on an evening")

    def _judge_removal(self, look: AskedLook) -> None:
        """Note which tweets may be removed: a fifth of a request at most, all others only if they were gone an hour before."""
        few = 5 * len(look.gone) <= len(look.ids)
        for one in look.gone:
            if few or look.at - self._gone_before.setdefault(one, look.at) >= AN_HOUR - A_SECOND:
                self._may_go |= self._family(one)

    def _family(self, version: int) -> set[int]:
        rows = self._judge.rows
        first = next((row[0] for row in rows("SELECT tweet_id FROM versions WHERE id = ?", version)), version)
        query = "SELECT id FROM versions WHERE tweet_id = ? UNION SELECT version FROM tweets WHERE id = ?"
        return {version, first, *(row[0] for row in rows(query, first, first))}

    @property
    def off(self) -> bool:
        """Whether refreshing went off by itself."""
        return bool(self._judge.rows("SELECT 1 FROM marks WHERE name = 'refresh_off'"))

    @property
    def ordered(self) -> set[int]:
        """The posts that orders bought."""
        return {post for look in self.looks if look.run_id for post in look.anew}

    def of_day(self, day: str) -> list[AskedLook]:
        """Return the looks of the evening of a day."""
        return [look for look in self.looks if look.run_id is None and f"{look.at:%Y-%m-%d}" == day]

    @property
    def summary(self) -> str:
        """What was read again, in words."""
        evening = [look for look in self.looks if look.run_id is None]
        ordered = [look for look in self.looks if look.run_id is not None]
        days, posts = {look.at.date() for look in evening}, sum(len(look.sold) for look in evening)
        bought = sum(len(look.anew) for look in ordered)
        gone = self._judge.rows("SELECT count(*) FROM tombstones")[0][0]
        return (
            f"{posts} posts read again on {len(days)} evenings by {len(evening)} looks; {len(ordered)} ordered looks bought "
            f"{bought}; {gone} ids removed"
        )

    def faults(self) -> list[str]:
        """Return what looks did that they must not do."""
        removed = {row[0] for row in self._judge.rows("SELECT id FROM tombstones")} - self._may_go
        found = [f"{len(removed)} tweets removed that X did not call gone: {sorted(removed)[:3]}"] if removed else []
        return self.wrong + found + self._measured_too_often()

    def _measured_too_often(self) -> list[str]:
        """Return tweets with more measurements than answers that had them."""
        earlier = dict(self._judge.rows("SELECT tweet_id, count(*) FROM measurements GROUP BY tweet_id"))
        later = defaultdict[int, set[int]](set)
        for version, first in self._judge.rows("SELECT id, tweet_id FROM versions UNION SELECT version, id FROM tweets"):
            later[first].add(version)
        served = {one: sum(map(self._judge.served, later[one] | {one})) for one in earlier}
        return [
            f"tweet {one} has {earlier[one] + 1} measurements of {n} answers" for one, n in served.items() if earlier[one] >= n
        ]

    def unread(self, day: str, *, before_ms: int) -> set[int]:
        """Return the posts whose last sale of a day was before a time, and which the evening's look should have asked for.

        Nothing is due on an evening that is not done, or on which it went off.
        """
        ordinal = datetime.fromisoformat(day).toordinal()
        if self.off or self._judge.rows(DAY_DONE, ordinal) != [(2,)]:
            return set()
        due = {row[0] for row in self._judge.rows(PURCHASED_SHOWN, day, day)}
        late = {post for post, at in self._judge.last_sold.items() if at >= before_ms}
        return due - late - {one for look in self.of_day(day) for one in look.ids}
