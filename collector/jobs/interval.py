"""The interval of collections: what was chosen through the API or the page, else COLLECT_EVERY; and what it costs a month."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from alchemy import Database
from collector import counters
from collector.ledger.prices import Cost
from collector.runs import lease, runs
from collector.runs.collector import Collector
from collector.runs.listings import REACH
from collector.runs.tags import TagOrder
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


def month_price(collector: Collector, session: Session, every: timedelta) -> Cost:
    """Return what collections at an interval cost in 30 days, by X's counts of the last seven days.

    A tag that X never counted is assumed to have as many posts as its limit allows in every collection.
    """
    now = x_now(session)
    posts = round(sum(_posts(session, order, every, now=now) for order in collector.orders(session)) * (MONTH / every))
    return collector.order.billing.prices.cost(posts=posts, users=posts)


def _posts(session: Session, order: TagOrder, every: timedelta, *, now: datetime) -> float:
    """Return how many posts of a tag a collection buys. What it leaves is bought by the next ones, so that the mean counts."""
    an_hour = usual(session, order.tag.id, since=now - LATELY, until=now)
    return float(order.most) if an_hour is None else min(float(order.most), an_hour * (min(every, REACH) / HOUR))


def _due(session: Session, interval: timedelta) -> datetime:
    """Return when the next collection is due: as the process says that keeps this interval, else by the newest one."""
    planned, now, last = schedule(session), datetime.now(UTC), runs.newest_start(session)
    if planned and planned.kept and planned.every == int(interval.total_seconds()):
        return planned.due
    choice = schedule_choice(session)
    began = min(last or (choice.at if choice else now), now)
    return max(now, began + interval)
