"""The interval of collections: what was chosen through the API or the page, else COLLECT_EVERY; and what it costs a month."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from alchemy import Database
from collector import counters
from collector.ledger.prices import Cost, Prices
from collector.ledger.pricing import BudgetLeft
from collector.runs import lease, runs
from collector.runs.collector import Collector
from collector.runs.listings import REACH
from database.statements import upsert
from models import DatabaseMark
from queries.counters import schedule, x_now
from queries.schedule import BY_SETTING, CHOSEN, OFF, ScheduleChoice, schedule_choice
from queries.volume import LATELY, usual
from settings import EVERY, SECONDS

log = logging.getLogger(__name__)

SHORTEST = timedelta(minutes=5)
MONTH = timedelta(days=30)
HOUR = timedelta(hours=1)


class ScheduleInEffect(NamedTuple):
    """The interval, as it was written and as a duration, and the next collection (UTC); None while no schedule is kept.

    `is_chosen` is false where it is COLLECT_EVERY's.
    """

    every: str | None
    interval: timedelta | None
    due: datetime | None
    is_chosen: bool


class TagRate(NamedTuple):
    """How many posts of a tag X counted in an hour, None if it never did, and how many a collection buys at most."""

    tag: str
    most: int
    an_hour: float | None

    def month_posts(self, every: timedelta) -> float:
        """Return how many posts collections at an interval buy in 30 days; of a tag that was never counted, all they may.

        What a collection leaves is bought by the next ones, so that the mean counts.
        """
        posts = float(self.most)
        if self.an_hour is not None:
            posts = min(posts, self.an_hour * (min(every, REACH) / HOUR))
        return posts * (MONTH / every)


def choose_schedule(database: Database, every: str) -> None:
    """Set the interval, OFF, or BY_SETTING for all processes, which follow within a minute; raises DatabaseUnavailable."""

    def change(session: Session) -> None:
        lease.refuse_while_restoring(session)
        value = ScheduleChoice(datetime.now(UTC), every).value
        upsert(session, DatabaseMark, [{"name": CHOSEN, "value": value}], update=("value",))
        counters.bump_sequence(session)

    database.write(change)
    log.info("schedule chosen", extra={"every": every})


def chosen_interval(session: Session, setting: timedelta | None) -> timedelta | None:
    """Return the interval in effect where COLLECT_EVERY is `setting`; None is off."""
    choice = schedule_choice(session)
    if choice is None or choice.every == BY_SETTING:
        return setting
    return None if choice.every == OFF else EVERY.read(choice.every)


def schedule_in_effect(collector: Collector, session: Session) -> ScheduleInEffect:
    """Return the schedule of the service, whichever process keeps it."""
    choice, interval = schedule_choice(session), chosen_interval(session, collector.order.every)
    is_chosen = choice is not None and choice.every != BY_SETTING
    if interval is None:
        return ScheduleInEffect(None, None, None, is_chosen)
    every = choice.every if choice and is_chosen else written(interval)
    return ScheduleInEffect(every, interval, _due(session, interval), is_chosen)


def written(interval: timedelta) -> str:
    """Write a duration of whole seconds in the longest unit that fits, such as 1h or 90m."""
    seconds = int(interval.total_seconds())
    unit = max((unit for unit, size in SECONDS.items() if seconds % size == 0), key=SECONDS.__getitem__)
    return f"{seconds // SECONDS[unit]}{unit}"


def tag_rates(collector: Collector, session: Session) -> list[TagRate]:
    """Return what collections buy of each tracked tag, by X's counts of the last seven days."""
    now, orders = x_now(session), collector.orders(session)
    since = now - LATELY
    return [TagRate(one.tag.tag, one.most, usual(session, one.tag.id, since=since, until=now)) for one in orders]


def month_price(rates: Sequence[TagRate], prices: Prices, every: timedelta) -> Cost:
    """Return what collections at an interval cost in 30 days."""
    posts = round(sum(rate.month_posts(every) for rate in rates))
    return prices.cost(posts=posts, users=posts)


def budget_end(left: BudgetLeft, a_month: int, *, now: datetime) -> date | None:
    """Return the day (UTC) on which a budget is used up that 30 days cost so many micro-dollars of; None if it lasts."""
    lasts = left.micro * MONTH.days / a_month if a_month else math.inf
    return None if lasts >= (left.until - now.date()).days else now.date() + timedelta(days=lasts)


def _due(session: Session, interval: timedelta) -> datetime:
    """Return when the next collection is due: as the process says that keeps this interval, else by the newest one."""
    planned, now, last = schedule(session), datetime.now(UTC), runs.newest_start(session)
    if planned and planned.kept and planned.every == int(interval.total_seconds()):
        return planned.due
    choice = schedule_choice(session)
    began = min(last or (choice.at if choice else now), now)
    return max(now, began + interval)
