"""Billing months: those against which the budget holds, and what X says about the day on which its own begins.

X's documentation calls `cap_reset_day` the number of days until the cap is reset; users of X's API report the day of the month.
Two answers on different days show which it is: a number of days changes in less than a month, a day of the month does not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from sqlalchemy.orm import Session

from collector.ledger.prices import Billing, Month
from database.statements import upsert
from models import StoredCounter
from queries.billing import DAY, EARLIER, UNTIL, billing_days, stored_values
from queries.counters import X_BILLING_DAY

log = logging.getLogger(__name__)

NUMBER, ASKED, IS_DAY, WARNED = "number", "asked", "is_day", "warned"
"""Labels of stored values: X's newest number, the ordinal of its date, whether it is a day of the month, the last warning."""
SHORTEST_MONTH, LONGEST_MONTH = 28, 31


def counted_months(session: Session, billing: Billing, days: Iterable[date]) -> list[Month]:
    """Return the billing months of these UTC days against which the budget holds, oldest first.

    They are those by each day that may be X's. Of two that begin on the same day the longer counts.
    """
    stored, found = stored_values(session), dict[date, Month]()
    for day in set(days):
        for begins in billing_days(stored, billing.day, on=day).counted:
            month = billing._replace(day=begins).month(day)
            found[month.start] = max(month, found.get(month.start, month))
    return sorted(found.values())


def note_reset(session: Session, billing: Billing, number: int | None, *, today: date) -> int | None:
    """Store on which day X's billing month begins, by its `cap_reset_day` of this UTC day, and return that day.

    A day that changes counts beside the new one until both of their months are over. Returns the known day, or None, for a
    number that can't be one.
    """
    stored = stored_values(session)
    if number is None or not 0 <= number <= LONGEST_MONTH:
        return stored.get(DAY)
    is_day = _is_day(stored, number, today=today)
    day = max(number, 1) if is_day else _day_of_reset(billing, stored.get(DAY), today + timedelta(days=number), today=today)
    values = {DAY: day, NUMBER: number, ASKED: today.toordinal(), IS_DAY: int(is_day)}
    if (before := stored.get(DAY)) not in (None, day):
        log.warning("X's billing month begins on another day", extra={"billing_day": day, "billing_day_before": before})
        ends = (billing._replace(day=one).month(today).end for one in (before, day))
        values |= {EARLIER: before, UNTIL: max(ends).toordinal()}
    _warn(billing, day, stored, values)
    upsert(session, StoredCounter, [_row(label, value) for label, value in values.items()], update=("value",))
    return day


def _is_day(stored: Mapping[str, int], number: int, *, today: date) -> bool:
    """Tell whether X's number is a day of the month: it is the same as on an earlier day of the last four weeks."""
    if 0 < today.toordinal() - stored.get(ASKED, 0) < SHORTEST_MONTH:
        return number == stored[NUMBER]
    return bool(stored.get(IS_DAY))


def _day_of_reset(billing: Billing, known: int | None, reset: date, *, today: date) -> int:
    """Return the day on which months begin of which one begins at `reset`: the known one if that agrees.

    A short month's last day may stand for a later one.
    """
    return known if known and reset in billing._replace(day=known).month(today) else reset.day


def _warn(billing: Billing, day: int, stored: Mapping[str, int], values: dict[str, int]) -> None:
    """Warn of a BILLING_DAY that disagrees, once for each such pair of days."""
    values[WARNED] = 0 if billing.day in (None, day) else 100 * (billing.day or 0) + day
    if values[WARNED] and values[WARNED] != stored.get(WARNED):
        log.warning(
            "BILLING_DAY disagrees with X: the budget holds in both months",
            extra={"billing_day": billing.day, "billing_day_by_x": day},
        )


def _row(label: str, value: int) -> dict[str, str | int]:
    return {"name": X_BILLING_DAY, "label": label, "value": value}
