"""Compares the ledger with what X says: the account's balance, and how many posts X sold in the billing month.

Balances show in time whether X charges for authors. X calls its deduplication a soft guarantee, and other programs may use the
same project, so X's count of posts and the ledger's may differ; operators are warned when the drift grows.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from sqlalchemy import Integer, func, insert, select
from sqlalchemy.orm import Session

from alchemy import Database
from collector.ledger import ledger
from collector.ledger.billing_days import note_reset
from collector.ledger.prices import Billing
from collector.runs import lease
from collector.x.app_only import AppOnly
from collector.x.failures import XFailure
from database.statements import upsert
from models import Balance, Reconciliation, Reservation, Spend
from queries.balances import Authors, authors
from queries.spend import spend_between

log = logging.getLogger(__name__)


class LedgerTotals(NamedTuple):
    """All that was ever booked and what is reserved, in micro-dollars, and how many requests are in flight."""

    floor: int
    ceiling: int
    unsettled: int
    in_flight: int


def read_balance(database: Database, x: AppOnly) -> None:
    """Store the account's balance with the ledger's totals; the request is free. Raises DatabaseUnavailable.

    Not every account may read its balance and nothing else depends on it, so a failure of X is only logged.
    """
    with database.reading() as session:
        before = _ledger_totals(session)
    try:
        credits = x.credits()
    except XFailure as failure:
        log.info("balance not told by X", extra={"reason": str(failure)})
        return

    def store(session: Session) -> Authors | None:
        lease.refuse_while_restoring(session)
        now = _ledger_totals(session)
        quiet = now == before and not now.in_flight
        sums = {"floor": now.floor, "ceiling": now.ceiling, "unsettled": now.unsettled}
        reading = {"asked_at": credits.asked, "balance": credits.balance, "expires": credits.expires}
        session.execute(insert(Balance).values(**reading, **sums, quiet=quiet))
        return authors(session)

    known = database.write(store)
    said = known.said if known else "not settled yet"
    log.info("balance compared with the ledger", extra={"balance_usd": credits.balance / 1e6, "authors": said})


def reconcile(database: Database, x: AppOnly, billing: Billing) -> None:
    """Store X's count of posts in its billing month and the ledger's, and on which day that month begins; a free request.

    Raises XFailure, DatabaseUnavailable.
    """
    usage = x.usage()
    day = usage.observed.date()

    def store(session: Session) -> int:
        lease.refuse_while_restoring(session)
        by_x = note_reset(session, billing, usage.cap_reset_day, today=day)
        ledger.recount(session, billing, [day])
        month = billing._replace(day=by_x or billing.day).month(day)
        ours = spend_between(session, start=month.start, end=month.end).posts
        row = {"day": day.isoformat(), "asked_at": usage.observed, "x_posts": usage.posts, "our_posts": ours}
        upsert(session, Reconciliation, [row], update=("asked_at", "x_posts", "our_posts"))
        return ours

    ours = database.write(store)
    log.info("ledger compared with X", extra={"posts": ours, "posts_by_x": usage.posts})


def _ledger_totals(session: Session) -> LedgerTotals:
    floor, ceiling = (func.coalesce(func.sum(column), 0) for column in (Spend.floor, Spend.ceiling))
    spent = session.execute(select(floor, ceiling)).one()
    in_flight = func.coalesce(func.sum(Reservation.in_flight.cast(Integer)), 0)
    held = session.execute(select(func.coalesce(func.sum(Reservation.micro), 0), in_flight)).one()
    return LedgerTotals(*map(int, (*spent, *held)))
