"""Checks of digests: when they are due, by a clock on the wall. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from queries.watches import StoredWatch
from queries.zones import DAY_S, Period, offset_periods
from watches.checks import CheckResult, CheckTime, found_in
from watches.definitions import WEEKDAYS, WatchDefinition

ONE_DAY = timedelta(days=1)
LONGEST_CHANGE_S = 2 * DAY_S


def check_digest(watch: StoredWatch, definition: WatchDefinition, time: CheckTime) -> CheckResult:
    """Return the digests that became due since the watch was checked, at most seven days ago; each tells what ends then."""
    now = int(time.ours.timestamp())
    told = list(digests(definition, max(watch.checked_to, now - time.latest_s), now))
    found = [found_in("digest", one, at=one[1]) for one in told]
    return CheckResult(found, watch._replace(checked_to=told[-1][1] if told else watch.checked_to))


def digests(definition: WatchDefinition, after: int, until: int) -> Iterator[Period]:
    """Yield the times of the digests that are due after a time and until another one, oldest first."""
    day, last = (datetime.fromtimestamp(second, definition.zone).date() for second in (after, until))
    while day <= last:
        begin, end = due_at(definition, day - (7 * ONE_DAY if definition.is_weekly else ONE_DAY)), due_at(definition, day)
        if begin < end and after < end <= until and _is_day(definition, day):
            yield begin, end
        day += ONE_DAY


def due_at(definition: WatchDefinition, day: date) -> int:
    """Return when clocks show a digest's time on a day: of two such times the first; a skipped one is when clocks go on."""
    local = datetime.combine(day, definition.clock, tzinfo=definition.zone)
    second = int(local.timestamp())
    if datetime.fromtimestamp(second, definition.zone).replace(tzinfo=None, fold=0) == local.replace(tzinfo=None):
        return second
    return list(offset_periods(definition.zone, second - LONGEST_CHANGE_S, second + 1))[-1].first


def _is_day(definition: WatchDefinition, day: date) -> bool:
    return not definition.is_weekly or WEEKDAYS[day.weekday()] == definition.weekday
