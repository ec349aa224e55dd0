"""What a watch may tell: nothing in quiet hours, and so many messages a day. What is held back is counted."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Message
from queries.zones import DAY, buckets
from watches.definitions import WatchDefinition


class TellingLimits:
    """Counts the messages of a watch by day, and those that were held back since the last one."""

    def __init__(self, definition: WatchDefinition, *, held_back: int, told: Counter[int] | None = None) -> None:
        self._definition, self._told, self.held_back = definition, told or Counter[int](), held_back

    def take(self, at: datetime) -> int | None:
        """Take a message that is found at a time (UTC): return how many were held back before it, None if it is, too."""
        quiet, day = self._definition.quiet_hours, day_start(self._definition, at)
        is_quiet = quiet is not None and quiet.contains(at.astimezone(self._definition.zone).time())
        if is_quiet or self._told[day] >= self._definition.most_a_day:
            self.held_back += 1
            return None
        self._told[day] += 1
        before, self.held_back = self.held_back, 0
        return before


def day_start(definition: WatchDefinition, at: datetime) -> int:
    """Return when the local day of a time begins, in epoch seconds."""
    second = int(at.timestamp())
    return next(buckets(definition.zone, DAY, second, second + 1))[0]


def told_today(session: Session, watch_id: int, definition: WatchDefinition, now: datetime) -> Counter[int]:
    """Return how many messages of a watch were recorded on the local day of now, by its start."""
    today = day_start(definition, now)
    since = datetime.fromtimestamp(today, now.tzinfo)
    rows = select(func.count()).where(Message.watch_id == watch_id, Message.found >= since)
    return Counter({today: session.scalar(rows) or 0})
