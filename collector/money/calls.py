"""Calls that X charges for: reserved before they are made, and booked in the transaction that keeps what they brought."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy.orm import Session

from alchemy import Database
from collector import lease
from collector.money import ledger
from collector.money.ledger import Hold
from collector.money.prices import Billing
from collector.x.app_only import AppOnly
from collector.x.failures import XFailure
from collector.x.tries import Stopped

LOOKED_EVERY_S = 0.2


class Dated(Protocol):
    """An answer of X with its Date (UTC)."""

    @property
    def observed(self) -> datetime: ...


T = TypeVar("T", bound=Dated)


class Desk(NamedTuple):
    """Where calls are bought: of which X, booked in which database and under which run; `stop` ends the waiting."""

    database: Database
    x: AppOnly
    billing: Billing
    run_id: int
    stop: threading.Event

    def buy(self, micro: int, ask: Callable[[], T], keep: Callable[[Session, T], None]) -> T:
        """Buy one call, keep what it brought, and return it; raises XFailure, BudgetSpent, Stopped, DatabaseUnavailable.

        A call whose answer is lost, or can't be stored, keeps its reservation, for X may have charged for it.
        """
        hold, sold = self._reserved(micro), True
        with ExitStack() as unless_kept:
            unless_kept.callback(lambda: self._release(hold, sold=sold))
            try:
                answer = ask()
            except XFailure as failure:
                sold = failure.sold
                raise
            with self.database.writing() as session:
                lease.refuse_while_restoring(session)
                ledger.settle_call(session, self.billing, hold, day=answer.observed.date(), micro=micro)
                keep(session, answer)
            unless_kept.pop_all()
        return answer

    def _reserved(self, micro: int) -> Hold:
        """Reserve the call's price; wait where what is in flight may leave room for it."""
        while not self.stop.is_set():
            with self.database.writing() as session:
                lease.refuse_while_restoring(session)
                hold = ledger.reserve_call(session, self.billing, self.run_id, micro, now=self.x.clock.now())
            if hold:
                return hold
            self.stop.wait(LOOKED_EVERY_S)
        raise Stopped

    def _release(self, hold: Hold, *, sold: bool) -> None:
        now = self.x.clock.now()
        days = (now.date(), (now + self.x.longest).date()) if sold else None
        with self.database.writing() as session:
            ledger.release(session, hold, sold=days)
