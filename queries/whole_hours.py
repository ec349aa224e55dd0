"""Whole hours: the part of a period that roll-ups by the hour (UTC) count, and what lies beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, true

from queries.filters import ALL, LAST_SECOND, Filters, next_second
from queries.zones import HOUR_S

LAST = int(LAST_SECOND.timestamp())


class WholeHours(NamedTuple):
    """The hours from `first` to `end` (epoch seconds, half-open; None has no end), and at most two `edges` beside them."""

    first: int | None
    end: int | None
    edges: tuple[Filters, ...]

    def among(self, start: Any) -> ColumnElement[bool]:
        """Return the condition that an hour is one of them; `start` is the column of its epoch second."""
        first = true() if self.first is None else start >= self.first
        return and_(first, true() if self.end is None else start < self.end)


def whole_hours(filters: Filters) -> WholeHours | None:
    """Return how the wanted period is cut; None where it has no whole hour, or where not all of its tweets are wanted."""
    since, until = _second(filters.since), _second(filters.until)
    first = None if since is None else -(-since // HOUR_S) * HOUR_S
    end = None if until is None else until // HOUR_S * HOUR_S
    empty = first is not None and first >= (LAST if end is None else end)
    if empty or filters._replace(since=None, until=None) != ALL:
        return None
    edges = (((since, first),) if since != first else ()) + (((end, until),) if until != end else ())
    return WholeHours(first, end, tuple(Filters(since=_time(begin), until=_time(stop)) for begin, stop in edges))


def _second(bound: datetime | None) -> int | None:
    return None if bound is None else int(next_second(bound).timestamp())


def _time(second: int | None) -> datetime | None:
    return None if second is None else datetime.fromtimestamp(second, UTC)
