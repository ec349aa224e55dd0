"""What a watch may tell: nothing in quiet hours, and so many messages a day. What is held back is counted.

That nothing was collected is postponed: it is found again until it is told, or over, which counts as held back.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Message
from queries.zones import DAY, Period, buckets
from watches.definitions import WatchDefinition
from watches.findings import UNCOLLECTED


class TellingLimits:
    """Counts the messages of a watch by day, and those that were held back since the last one."""

    def __init__(self, definition: WatchDefinition, *, held_back: int, told: Counter[int] | None = None) -> None:
        self._definition, self._told, self.held_back = definition, told or Counter[int](), held_back

    def take(self, kind: str, at: datetime) -> int | None:
        """Take a message of a kind that is found at a time (UTC): return how many were held back before it.

        None if it is held back, too, or postponed.
        """
        day = day_start(self._definition, at)
        if self._is_quiet(at) or self._told[day] >= self._definition.most_a_day:
            self.held_back += kind != UNCOLLECTED
            return None
        self._told[day] += 1
        before, self.held_back = self.held_back, 0
        return before

    def postponed_to(self, at: datetime) -> datetime:
        """Return when the quiet hours end in which a time is, else when its day does (UTC)."""
        quiet, local = self._definition.quiet_hours, at.astimezone(self._definition.zone)
        if quiet is None or not self._is_quiet(at):
            return datetime.fromtimestamp(_day(self._definition, at)[1], UTC)
        end = datetime.combine(local.date(), quiet.end, tzinfo=local.tzinfo)
        return (end if end > local else end + timedelta(days=1)).astimezone(UTC)

    def _is_quiet(self, at: datetime) -> bool:
        quiet = self._definition.quiet_hours
        return quiet is not None and quiet.contains(at.astimezone(self._definition.zone).time())


def day_start(definition: WatchDefinition, at: datetime) -> int:
    """Return when the local day of a time begins, in epoch seconds."""
    return _day(definition, at)[0]


def _day(definition: WatchDefinition, at: datetime) -> Period:
    second = int(at.timestamp())
    return next(buckets(definition.zone, DAY, second, second + 1))


def told_today(session: Session, watch_id: int, definition: WatchDefinition, now: datetime) -> Counter[int]:
    """Return how many messages of a watch were recorded on the local day of now, by its start."""
    today = day_start(definition, now)
    since = datetime.fromtimestamp(today, now.tzinfo)
    rows = select(func.count()).where(Message.watch_id == watch_id, Message.found >= since)
    return Counter({today: session.scalar(rows) or 0})
