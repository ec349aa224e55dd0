"""Periods: how many tweets and distinct authors they have, by roll-ups or by rows. Times are epoch seconds, half-open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import CTE, BigInteger, ColumnElement, case, distinct, exists, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from database.functions import instant, pairs, quarter_hour
from models import LONGEST_DAY, Presence, Quarter, Tweet

QUARTER_S = quarter_hour.seconds
HALF = 2**32  # two numbers in one, so that rows are read once
_HALF = literal(HALF, BigInteger)  # which PostgreSQL would take for a number of 32 bits

Period = tuple[int, int]


class PeriodCount(NamedTuple):
    """How many tweets, and how many authors they have; tweets without an author add none."""

    tweets: int
    authors: int


NONE = PeriodCount(0, 0)


def counts_by_period(
    session: Session, periods: Sequence[Period], wanted: Sequence[ColumnElement[bool]]
) -> dict[Period, PeriodCount]:
    """Count the tweets that meet all of these conditions, and their authors, by period."""
    asked = period_table(periods)
    both = func.count() * _HALF + func.count(distinct(Tweet.author_id))
    within = (Tweet.created >= asked.c.since, Tweet.created < asked.c.until)
    rows = session.execute(select(asked.c.first, asked.c.second, select(both).where(*within, *wanted).scalar_subquery()))
    return {(first, end): PeriodCount(*divmod(found, HALF)) for first, end, found in rows}


def rollup_counts(session: Session, periods: Sequence[Period]) -> dict[Period, PeriodCount]:
    """Count all tweets and their authors by period, which must not overlap; those that have none may be left out.

    It takes as long as there are quarters of an hour, however many tweets; where a period begins or ends within one, rows of
    that quarter are read.
    """
    first, end = time_with_tweets(session)
    whole = {period: _whole(period) for period in periods if period[0] < end and period[1] > first}
    counts = _sum_rollups(session, [inner for inner in whole.values() if inner[0] < inner[1]])
    return {
        period: counts.get(inner, NONE) if inner == period else _with_rest(session, period, inner, counts.get(inner, NONE))
        for period, inner in whole.items()
    }


def time_with_tweets(session: Session) -> Period:
    """Return the time that has tweets, in whole quarters; an empty one where there are none."""
    first, last = (select(end(Quarter.start)).scalar_subquery() for end in (func.min, func.max))
    found = session.execute(select(first, last)).one()
    return (found[0], found[1] + QUARTER_S) if found[0] is not None else (0, 0)


def _whole(period: Period) -> Period:
    """Return the part of a period that is made of whole quarters, not longer than presence reaches back."""
    first, end = -(-period[0] // QUARTER_S) * QUARTER_S, period[1] // QUARTER_S * QUARTER_S
    first = min(first, period[1])
    return first, min(max(end, first), first + LONGEST_DAY * QUARTER_S)


def _sum_rollups(session: Session, periods: Iterable[Period]) -> dict[Period, PeriodCount]:
    """Add up roll-ups of whole quarters. Each author is counted in the first of a period's quarters that they wrote in."""
    asked = pairs(periods)
    first, end = asked.c.first, asked.c.second
    within = (Quarter.start >= first, Quarter.start < end)
    signed = case((Presence.quarters == 0, Presence.authors), else_=-Presence.authors)
    before = (Presence.start == Quarter.start, Presence.quarters <= (Quarter.start - first) // QUARTER_S)
    newly = select(func.sum(signed)).where(*before).correlate(Quarter, asked).scalar_subquery()
    tweets, authors = (select(func.sum(what)).where(*within).scalar_subquery() for what in (Quarter.tweets, newly))
    rows = session.execute(select(first, end, tweets, authors))
    return {(start, until): PeriodCount(found or 0, people or 0) for start, until, found, people in rows}


def _with_rest(session: Session, period: Period, inner: Period, count: PeriodCount) -> PeriodCount:
    """Add what a period has outside of its inner part; only those authors who have nothing within that."""
    (first, end), (begin, stop) = (tuple(map(_moment, both)) for both in (period, inner))
    rest = or_((Tweet.created >= first) & (Tweet.created < begin), (Tweet.created >= stop) & (Tweet.created < end))
    other = aliased(Tweet)
    again = exists().where(other.author_id == Tweet.author_id, other.created >= begin, other.created < stop)
    tweets = session.scalar(select(func.count()).select_from(Tweet).where(rest)) or 0
    authors = session.scalar(select(func.count(distinct(Tweet.author_id))).where(rest, ~again)) or 0
    return PeriodCount(count.tweets + tweets, count.authors + authors)


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def period_table(periods: Iterable[Period]) -> CTE:
    """Return a table of periods, with their bounds as times as well."""
    asked = pairs(periods)
    bounds = instant(asked.c.first).label("since"), instant(asked.c.second).label("until")
    return select(asked, *bounds).cte("asked").prefix_with("MATERIALIZED")
