"""Calls that X charges for: reserved before they are made, and booked in the transaction that keeps what they brought."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector.ledger import ledger
from collector.ledger.ledger import BudgetSpent, DayTurned, HeldReservation
from collector.ledger.prices import Billing
from collector.runs import lease, runs
from collector.x.app_only import AppOnly
from collector.x.clock import Days
from collector.x.failures import XFailure
from collector.x.tries import RetryPolicy, Stopped, Tries
from queries.leases import CALLS

LOOKED_EVERY_S = 0.2
LONGEST_WAIT_S = 60.0


class DatedAnswer(Protocol):
    """An answer of X with its Date (UTC)."""

    @property
    def observed(self) -> datetime: ...


T = TypeVar("T", bound=DatedAnswer)
R = TypeVar("R")


log = logging.getLogger(__name__)


class CallsLeaseTaken(Exception):
    """Another process buys calls now."""


class CallBuyer(NamedTuple):
    """Where calls are bought: of which X, booked in which database and under which run; `stop` ends the waiting."""

    database: Database
    x: AppOnly
    billing: Billing
    run_id: int
    stop: threading.Event
    tries: Tries
    token: int
    renewals: lease.Renewals

    def buy(self, micro: int, ask: Callable[[Callable[[], None]], T], keep: Callable[[Session, T], None]) -> T:
        """Buy one call, keep what it brought, and return it; raises XFailure, BudgetSpent, Stopped, DatabaseUnavailable.

        One that X failed to answer is free and tried again. One whose answer is lost, or can't be stored, is not, and keeps its
        reservation, for X may have charged for it. `ask` is given what it has to call right before the request is sent.
        """
        while True:
            with suppress(DayTurned):
                return self._buy_reserved(micro, ask, keep)

    def _buy_reserved(self, micro: int, ask: Callable[[Callable[[], None]], T], keep: Callable[[Session, T], None]) -> T:
        hold, sold = self._reserve(micro), False
        sent = hold.days

        def look() -> None:
            nonlocal sold, sent
            sent = self._look(hold)
            sold = True  # unless X says that it refused

        def ask_once() -> T:
            nonlocal sold
            try:
                return _once(lambda: ask(look))
            except XFailure as failure:
                sold = failure.sold
                raise

        with ExitStack() as unless_kept:
            unless_kept.callback(lambda: self._release(hold, sold=sold))
            answer = self.tries.ask(ask_once)
            days = self.x.clock.billed_days(answer.observed, sent)

            def settle(session: Session) -> None:
                lease.refuse_while_restoring(session)
                ledger.settle_call(session, self.billing, hold, days=days, micro=micro)
                keep(session, answer)

            self.database.write(settle, timeout_s=lease.LASTS_S)
            unless_kept.pop_all()
        return answer

    def _reserve(self, micro: int) -> HeldReservation:
        """Reserve the call's price; wait a while where what is in flight may leave room for it. Raises BudgetSpent, Stopped."""
        deadline = time.monotonic() + LONGEST_WAIT_S

        def reserve(session: Session) -> HeldReservation | None:
            lease.refuse_while_restoring(session)
            lease.renew(session, self.token, name=CALLS)
            days = self.x.clock.days(ahead=self.x.longest)
            return ledger.reserve_call(session, self.billing, self.run_id, micro, days=days)

        while not self.stop.is_set():
            if hold := self._write_with_lease(reserve):
                return hold
            if time.monotonic() > deadline:
                raise BudgetSpent("what others have reserved leaves nothing of the budget: try again later")
            self.stop.wait(LOOKED_EVERY_S)
        raise Stopped

    def _write_with_lease(self, change: Callable[[Session], R]) -> R:
        """Commit a change that renews the lease; raises Stopped where another process has it."""
        try:
            return self.renewals.renew(lambda: self.database.write(change))
        except lease.LeaseLost as error:
            raise Stopped from error

    def _look(self, hold: HeldReservation) -> Days:
        """Return the days on which X may bill a call that is sent now; raises Stopped, DayTurned, DatabaseUnavailable."""
        self.renewals.look(lambda: self._write_with_lease(lambda session: lease.renew(session, self.token, name=CALLS)))
        if self.stop.is_set():
            raise Stopped
        days = self.x.clock.days(ahead=self.x.longest)
        if not hold.days.cover(days):
            raise DayTurned
        return self.x.clock.days()

    def _release(self, hold: HeldReservation, *, sold: bool) -> None:
        days = self.x.clock.days(ahead=self.x.longest) if sold else None
        self.database.write(lambda session: ledger.release(session, hold, sold=days), timeout_s=lease.LASTS_S)


def _once(ask: Callable[[], T]) -> T:
    """Ask, and let no further try follow a call that X may have charged for."""
    try:
        return ask()
    except XFailure as failure:
        raise (failure.for_good() if failure.sold else failure) from failure.__cause__


@contextmanager
def call_buyer(
    database: Database, x: AppOnly, billing: Billing, patience: RetryPolicy, stop: threading.Event
) -> Iterator[CallBuyer]:
    """Give a desk while the block runs; raises CallsLeaseTaken where another process has one.

    One at a time, so that what a process had in flight that died is known to be lost.
    """

    def take(session: Session) -> tuple[int, int]:
        lease.refuse_while_restoring(session)
        token = lease.take(session, f"{socket.gethostname()}:{os.getpid()}", name=CALLS)
        if token is None:
            raise CallsLeaseTaken("another process asks X for counts: try again in a minute")
        ledger.recover_calls(session, days=x.clock.days(ahead=x.longest))
        return token, runs.begin_job_run(session)

    renewals = lease.Renewals()
    token, run_id = database.write(take)
    try:
        with lease.renewing(database, token, stop.set, name=CALLS):
            yield CallBuyer(database, x, billing, run_id, stop, Tries(patience, stop, _tell, x.clock), token, renewals)
    finally:
        with suppress(DatabaseUnavailable):
            database.write(lambda session: lease.give_back(session, token, name=CALLS))


def _tell(failure: XFailure) -> None:
    log.warning("call to X failed", extra={"kind": failure.kind, "reason": str(failure)})
