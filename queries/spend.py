"""Spend: what X sold in a day and in a billing month, in micro-dollars, and what X itself counted."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from models import Reconciliation, Reservation, Spend
from text.phrases import day, dollars

TREND_DAYS = 7


class PeriodSpend(NamedTuple):
    """What was bought: posts, authors, priced calls, and their price. Each object counts once a day, as X bills it."""

    posts: int
    users: int
    calls: int
    floor: int
    ceiling: int


class Outlook(NamedTuple):
    """The spend of a UTC day and of its billing month, what is not settled yet, and the forecast of the month's ceiling.

    The forecast assumes that the remaining days cost as much as the last seven did on average.
    """

    day: date
    start: date
    end: date
    today: PeriodSpend
    month: PeriodSpend
    unsettled: int
    forecast: int

    @property
    def used(self) -> int:
        """The part of the month's budget that is used, in micro-dollars."""
        return self.month.ceiling + self.unsettled


class DaySpend(NamedTuple):
    """What a UTC day cost at most, in micro-dollars."""

    day: date
    ceiling: int


def by_day(session: Session, *, start: date, end: date) -> list[DaySpend]:
    """Return all UTC days from `start` to `end`, which is exclusive, oldest first; those on which nothing was bought with 0."""
    days = (Spend.day >= start.isoformat(), Spend.day < end.isoformat())
    rows = session.execute(select(Spend.day, func.sum(Spend.ceiling)).where(*days).group_by(Spend.day))
    found = {day: int(ceiling) for day, ceiling in rows}
    every = (start + timedelta(days=number) for number in range((end - start).days))
    return [DaySpend(day, found.get(day.isoformat(), 0)) for day in every]


def spend_between(session: Session, *, start: date, end: date) -> PeriodSpend:
    """Return what was bought on the UTC days from `start` to `end`, which is exclusive."""
    sums = [func.coalesce(func.sum(getattr(Spend, name)), 0) for name in PeriodSpend._fields]
    days = (Spend.day >= start.isoformat(), Spend.day < end.isoformat())
    return PeriodSpend._make(session.execute(select(*sums).where(*days)).one())


def unsettled_ceiling(session: Session, *, start: date, end: date) -> int:
    """Return what these days' requests without an answer, lost or still to come, may have cost at most."""
    days = and_(Reservation.day < end.isoformat(), Reservation.last >= start.isoformat())
    return session.scalar(select(func.coalesce(func.sum(Reservation.micro), 0)).where(or_(days, Reservation.in_flight))) or 0


def outlook(session: Session, *, today: date, start: date, end: date) -> Outlook:
    """Return the spend of a billing month and its forecast; `end` is the first day of the next month."""
    tomorrow = today + timedelta(days=1)
    day, month = spend_between(session, start=today, end=tomorrow), spend_between(session, start=start, end=end)
    unsettled = unsettled_ceiling(session, start=start, end=end)
    recent = spend_between(session, start=tomorrow - timedelta(days=TREND_DAYS), end=tomorrow).ceiling
    forecast = month.ceiling + unsettled + recent * max(0, (end - tomorrow).days) // TREND_DAYS
    return Outlook(today, start, end, day, month, unsettled, forecast)


def spend_finding(view: Outlook, budget: int | None) -> str:
    """Return what the billing month cost until now, of which budget, and its forecast, as sentences."""
    if budget is None:
        return f"At most {dollars(view.used)} spent this billing month, without a budget."
    spent = f"At most {dollars(view.used)} of {dollars(budget)} spent in the billing month that ends {day(view.end)}."
    return f"{spent} Forecast: {dollars(view.forecast)}."


class UsageComparison(NamedTuple):
    """How many posts of a billing month X and the ledger had counted when X was asked last (UTC)."""

    asked: datetime
    x_posts: int
    our_posts: int

    @property
    def drift(self) -> int:
        """How many more X counted than the ledger."""
        return self.x_posts - self.our_posts


def newest_comparison(session: Session) -> UsageComparison | None:
    """Return the newest comparison, or None."""
    columns = select(Reconciliation.asked_at, Reconciliation.x_posts, Reconciliation.our_posts)
    row = session.execute(columns.order_by(Reconciliation.day.desc()).limit(1)).first()
    return UsageComparison._make(row) if row else None
