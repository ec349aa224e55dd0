"""Balances: what X says the account has left, beside the ledger, which settles in time whether X charges for authors."""

from __future__ import annotations

import logging
from typing import NamedTuple

from sqlalchemy import Integer, func, insert, select
from sqlalchemy.orm import Session

from alchemy import Database
from collector.runs import lease
from collector.x.app_only import AppOnly
from collector.x.failures import XFailure
from models import Balance, Reservation, Spend
from queries.balances import Authors, authors

log = logging.getLogger(__name__)


class LedgerTotals(NamedTuple):
    """All that was ever booked, in micro-dollars, what lost answers may have cost, and how many requests are under way."""

    floor: int
    ceiling: int
    unsettled: int
    in_flight: int


def read_balance(database: Database, x: AppOnly) -> None:
    """Ask X, which is free, and keep its answer beside the ledger; raises DatabaseUnavailable.

    Not every account is told its balance, and nothing else depends on it: a failure of X's is logged and that is all.
    """
    with database.reading() as session:
        before = _ledger_totals(session)
    try:
        told = x.credits()
    except XFailure as failure:
        log.info("balance not told by X", extra={"reason": str(failure)})
        return

    def keep(session: Session) -> Authors | None:
        lease.refuse_while_restoring(session)
        now = _ledger_totals(session)
        quiet = now == before and not now.in_flight
        sums = {"floor": now.floor, "ceiling": now.ceiling, "unsettled": now.unsettled}
        reading = {"asked_at": told.asked, "balance": told.balance, "expires": told.expires}
        session.execute(insert(Balance).values(**reading, **sums, quiet=quiet))
        return authors(session)

    known = database.write(keep)
    said = known.said if known else "not settled yet"
    log.info("balance compared with the ledger", extra={"balance_usd": told.balance / 1e6, "authors": said})


def _ledger_totals(session: Session) -> LedgerTotals:
    floor, ceiling = (func.coalesce(func.sum(column), 0) for column in (Spend.floor, Spend.ceiling))
    spent = session.execute(select(floor, ceiling)).one()
    under_way = func.coalesce(func.sum(Reservation.in_flight.cast(Integer)), 0)
    held = session.execute(select(func.coalesce(func.sum(Reservation.micro), 0), under_way)).one()
    return LedgerTotals(*map(int, (*spent, *held)))
