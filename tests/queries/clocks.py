"""Buckets as a wall clock shows them: found by looking at it every minute."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from queries.zones import DAY, HOUR

Period = tuple[int, int]
MINUTE_S, FAR_S = 60, 36 * 3600


def naive(zone: tzinfo, bucket: timedelta, period: Period) -> list[Period]:
    """Return the buckets that overlap a period (epoch seconds), whole."""
    begin, stop = (period[0] - FAR_S) // MINUTE_S * MINUTE_S, period[1] + FAR_S
    edges, shown, latest = list[int](), object(), date.min
    for second in range(begin, stop, MINUTE_S):
        local = datetime.fromtimestamp(second, zone)
        latest = max(latest, local.date())
        now: Any = {DAY: latest, HOUR: (local.date(), local.hour, local.utcoffset())}.get(bucket, second // 900)
        if now != shown:
            edges.append(second)
        shown = now
    return [(start, end) for start, end in pairwise(edges) if start < period[1] and end > period[0]]
