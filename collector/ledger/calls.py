"""Calls that X charges for: reserved before they are made, and booked in the transaction that stores their result."""

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
from collector.ledger.ledger import DayTurned, HeldReservation
from collector.ledger.prices import Billing
from collector.runs import lease, runs
from collector.x.app_only import AppOnly
from collector.x.clock import Days
from collector.x.failures import RetryPolicy, Stopped, Tries, XFailure
from queries.counters import CALLS

CHECKED_EVERY_S = 0.2
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

    kind = "busy"


class CallBuyer(NamedTuple):
    """Buys calls of `x` and books them in `database` under a run; setting `stop` ends all waiting."""

    database: Database
    x: AppOnly
    billing: Billing
    run_id: int
    stop: threading.Event
    tries: Tries
    token: int
    renewals: lease.Renewals

    def buy(self, micro: int, request: Callable[[Callable[[], None]], T], store: Callable[[Session, T], None]) -> T:
        """Buy one call, store its result, and return it; raises XFailure, BudgetSpent, Stopped, DatabaseUnavailable.

        A call that failed at X is free and retried. A call whose answer is lost, or can't be stored, is not retried and keeps
        its reservation, because X may have charged for it. `request` must call its argument right before it sends.
        """
        while True:
            with suppress(DayTurned):
                return self._buy_reserved(micro, request, store)

    def _buy_reserved(self, micro: int, request: Callable[[Callable[[], None]], T], store: Callable[[Session, T], None]) -> T:
        reservation, sold = self._reserve(micro), False
        sent = reservation.days

        def before_sending() -> None:
            nonlocal sold, sent
            sent = self._days_of_sending(reservation)
            sold = True  # unless X says that it refused

        def request_once() -> T:
            nonlocal sold
            try:
                return request(before_sending)
            except XFailure as failure:
                sold = failure.sold
                raise (failure.for_good() if sold else failure) from failure.__cause__

        with ExitStack() as unless_stored:
            unless_stored.callback(lambda: self._release(reservation, sold=sold))
            answer = self.tries.ask(request_once)
            days = self.x.clock.billed_days(answer.observed, sent)

            def settle(session: Session) -> None:
                lease.refuse_while_restoring(session)
                ledger.settle_call(session, self.billing, reservation, days=days, micro=micro)
                store(session, answer)

            self.database.write(settle, timeout_s=lease.LASTS_S)
            unless_stored.pop_all()
        return answer

    def _reserve(self, micro: int) -> HeldReservation:
        """Reserve the call's price; wait while requests in flight may leave room for it. Raises BudgetSpent, Stopped."""
        deadline = time.monotonic() + LONGEST_WAIT_S

        def reserve(session: Session) -> HeldReservation | None:
            lease.refuse_while_restoring(session)
            lease.renew(session, self.token, name=CALLS)
            days = self.x.clock.days(ahead=self.x.longest)
            return ledger.reserve_call(session, self.billing, self.run_id, micro, days=days)

        while not self.stop.is_set():
            if reservation := self._write_with_lease(reserve):
                return reservation
            if time.monotonic() > deadline:
                raise ledger.BudgetReserved("what others have reserved leaves nothing of the budget: try again later")
            self.stop.wait(CHECKED_EVERY_S)
        raise Stopped

    def _write_with_lease(self, change: Callable[[Session], R]) -> R:
        """Commit a change that renews the lease; raises Stopped if another process has it."""
        try:
            return self.renewals.renew(lambda: self.database.write(change))
        except lease.LeaseLost as error:
            raise Stopped from error

    def _days_of_sending(self, reservation: HeldReservation) -> Days:
        """Return the days on which X may bill a call that is sent now; raises Stopped, DayTurned, DatabaseUnavailable."""
        self.renewals.ensure_fresh(lambda: self._write_with_lease(lambda session: lease.renew(session, self.token, name=CALLS)))
        if self.stop.is_set():
            raise Stopped
        days = self.x.clock.days(ahead=self.x.longest)
        if not reservation.days.cover(days):
            raise DayTurned
        return self.x.clock.days()

    def _release(self, reservation: HeldReservation, *, sold: bool) -> None:
        days = self.x.clock.days(ahead=self.x.longest) if sold else None
        self.database.write(lambda session: ledger.release(session, reservation, sold=days), timeout_s=lease.LASTS_S)


@contextmanager
def call_buyer(
    database: Database, x: AppOnly, billing: Billing, policy: RetryPolicy, stop: threading.Event
) -> Iterator[CallBuyer]:
    """Provide the buyer of calls, one process at a time; raises CallsLeaseTaken while another process has it.

    Because there is only one, the calls in flight of a process that died are known to be lost.
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
            yield CallBuyer(database, x, billing, run_id, stop, Tries(policy, stop, _log_failure, x.clock), token, renewals)
    finally:
        with suppress(DatabaseUnavailable):
            database.write(lambda session: lease.give_back(session, token, name=CALLS))


def _log_failure(failure: XFailure) -> None:
    log.warning("call to X failed", extra={"kind": failure.kind, "reason": str(failure)})
