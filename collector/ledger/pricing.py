"""Pricing: what a collection would buy and cost, before it does, and what is left of the budget to pay for it."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from sqlalchemy.orm import Session

from collector.ledger.estimates import estimate
from collector.ledger.prices import Cost, dollars
from collector.runs.collector import Collector
from queries.balances import Authors
from queries.figures import x_now
from queries.spend import spend_between, unsettled_ceiling


class TagPrice(NamedTuple):
    """How many tweets of a tag a collection buys at most, and how many by X's own counts; None where X never counted it."""

    tag: str
    most: int
    likely: int | None


class Price(NamedTuple):
    """What a collection of all tracked tags buys: at most, and by X's own counts of those `tags` that have one."""

    tags: tuple[TagPrice, ...]
    most: Cost
    likely: Cost

    @property
    def likely_counts(self) -> list[int]:
        """The likely numbers of tweets that are known."""
        return [tag.likely for tag in self.tags if tag.likely is not None]


def in_words(cost: Cost, authors: Authors | None) -> str:
    """Return a price for people: one where it is known whether X charges for authors, else both."""
    if authors:
        return dollars(authors.price(*cost))
    return f"{dollars(cost.floor)} for the tweets, {dollars(cost.ceiling)} with their authors, for whom X probably charges"


class BudgetLeft(NamedTuple):
    """What is left of a billing month's budget until a day, in micro-dollars."""

    micro: int
    budget: int
    until: date


def price(collector: Collector, session: Session) -> Price:
    """Return what a collection would cost now."""
    orders, now, prices = collector.orders(session), x_now(session), collector.order.billing.prices
    tags = tuple(TagPrice(order.tag.tag, order.most, estimate(session, order, now=now)) for order in orders)
    likely = sum(tag.likely for tag in tags if tag.likely is not None)
    return Price(tags, collector.most(orders), prices.cost(posts=likely, users=likely))


def budget_left(collector: Collector, session: Session) -> BudgetLeft | None:
    """Return what is left of this month's budget, or None where there is none."""
    billing = collector.order.billing
    if billing.budget is None:
        return None
    month = billing.month(x_now(session).date())
    used = spend_between(session, start=month.start, end=month.end).ceiling + unsettled_ceiling(
        session, start=month.start, end=month.end
    )
    return BudgetLeft(max(0, billing.budget - used), billing.budget, month.end)
