"""/view/schedule: when collections start by themselves, what that costs a month, and how far the budget reaches."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from flask import Response, request
from sqlalchemy.orm import Session

from collector.jobs.interval import (
    MONTH,
    ScheduleInEffect,
    TagRate,
    budget_end,
    choose_schedule,
    month_price,
    schedule_in_effect,
    tag_rates,
)
from collector.ledger.prices import Cost, Prices
from collector.ledger.pricing import BudgetLeft, budget_left
from queries import balances
from queries.balances import Authors
from queries.counters import x_now
from queries.schedule import BY_SETTING, OFF
from queries.tags import TrackedTag, tracked_tags
from schemas.problems import BadInput, ParameterError
from schemas.schedule import EXPECTED, parse_interval
from settings import EVERY
from web.site import Route, Site, redirect_to_page

PATH = "/view/schedule"
OFFERED = ("15m", "30m", "1h", "2h", "3h", "6h", "12h", "1d")
SUGGESTED = "1h"


class OfferedInterval(NamedTuple):
    """An interval that can be chosen, what it costs in 30 days, and how far the budget reaches.

    `ends` is the day on which what is left of this month's budget is used up, `days` how many of 30 a whole budget pays for;
    None where it lasts, and without a budget.
    """

    every: str
    interval: timedelta
    cost: Cost
    ends: date | None
    days: int | None


class TagCost(NamedTuple):
    """A tracked tag, how many posts it has, and what it costs in 30 days."""

    tag: TrackedTag
    rate: TagRate
    cost: Cost


def schedule_page(site: Site) -> Response:
    """Show the schedule with its price, forms to change it, and what each tag costs."""
    zone, collector = site.zone(), site.collector
    with site.reading() as session:
        shown, rates = schedule_in_effect(collector, session), tag_rates(collector, session)
        prices, left = collector.order.billing.prices, budget_left(collector, session)
        cost = month_price(rates, prices, shown.interval) if shown.interval else None
        now, priced = x_now(session), shown.interval or EVERY.read(SUGGESTED)
        values: dict[str, Any] = {
            "shown": shown,
            "cost": cost,
            "offers": _offers(shown, rates, prices, left, now),
            "chosen": shown.every or SUGGESTED,
            "setting": collector.order.every,
            "authors": charged_authors(site, session),
            "free": site.is_free(session),
            "default": collector.order.tw_number,
            "priced": priced,
            "tags": _tag_costs(session, rates, prices, priced),
            "left": left,
            "reaches": budget_end(left, cost.ceiling, now=now) if left and cost else None,
        }
        return site.page("schedule.html", session, zone, **values)


def change_schedule(site: Site) -> Response:
    """Set the schedule to what the form says, and show it."""
    every = request.form.get("every", "")
    if every not in (OFF, BY_SETTING):
        try:
            every = parse_interval(every)
        except ValueError as error:
            raise BadInput([ParameterError("every", f"expected {EXPECTED}")]) from error
    choose_schedule(site.collector.database, every)
    return redirect_to_page(PATH)


def charged_authors(site: Site, session: Session) -> Authors | None:
    """Return whether X charges for the authors of posts; None if that is unknown, or if they are looked up."""
    return None if site.collector.looks_up_authors(session) else balances.authors(session)


def _offers(
    shown: ScheduleInEffect, rates: list[TagRate], prices: Prices, left: BudgetLeft | None, now: datetime
) -> list[OfferedInterval]:
    """Return the intervals that can be chosen, the one in effect among them, the shortest first."""
    known = {EVERY.read(every): every for every in OFFERED} | ({shown.interval: shown.every} if shown.every else {})
    costs = {one: month_price(rates, prices, one) for one in sorted(known)}
    return [OfferedInterval(str(known[one]), one, cost, *_reach(left, cost, now)) for one, cost in costs.items()]


def _reach(left: BudgetLeft | None, cost: Cost, now: datetime) -> tuple[date | None, int | None]:
    """Return the day on which this month's budget is used up, and the days that a whole budget pays for; None if it lasts."""
    if left is None:
        return None, None
    days = MONTH.days * left.budget // cost.ceiling if cost.ceiling > left.budget else None
    return budget_end(left, cost.ceiling, now=now), days


def _tag_costs(session: Session, rates: list[TagRate], prices: Prices, interval: timedelta) -> list[TagCost]:
    by_name = {rate.tag: rate for rate in rates}
    costs = {rate.tag: month_price([rate], prices, interval) for rate in rates}
    return [TagCost(tag, by_name[tag.tag], costs[tag.tag]) for tag in tracked_tags(session)]


ROUTES: tuple[Route, ...] = ((PATH, schedule_page, "GET"), (PATH, change_schedule, "POST"))
