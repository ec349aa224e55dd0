"""The week: how many tweets there were in each hour of each day of the week, by the clock of the zone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from queries.series import totals
from queries.zones import HOUR, buckets
from web.asked import ViewQuery
from web.figures.counts import visible_time
from web.figures.volume import NOTHING
from web.tables import ChartFigure, Column, Table
from web.words import number

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST_S = 400 * 86_400


def week(session: Session, asked: ViewQuery) -> ChartFigure:
    """Add up the hours; of a long time the last 400 days."""
    first, end = visible_time(session, asked)
    begin = max(first, end - LONGEST_S)
    hours = tuple(buckets(asked.zone, HOUR, begin, end)) if begin < end else ()
    counts = [[0] * 24 for _ in DAYS]
    for (start, _), count in zip(hours, totals(session, hours, asked.filters), strict=True):
        local = datetime.fromtimestamp(start, asked.zone)
        counts[local.weekday()][local.hour] += count
    columns = (Column("Day", "text"), *(Column(f"{hour:02d}", "heat") for hour in range(24)), Column("Sum"))
    rows = tuple((day, *own, sum(own)) for day, own in zip(DAYS, counts, strict=True))
    note = "Of this time the last 400 days are counted." if begin > first else ""
    return ChartFigure("week", "Hours of the week", _finding(counts, asked), Table(columns, rows), note)


def _finding(counts: list[list[int]], asked: ViewQuery) -> str:
    most, day, hour = max((count, -day, -hour) for day, own in enumerate(counts) for hour, count in enumerate(own))
    if not most:
        return NOTHING
    return f"The busiest hour was {DAYS[-day]}, {-hour:02d}:00 to {(-hour + 1) % 24:02d}:00 ({asked.zone.key}): {number(most)}."
