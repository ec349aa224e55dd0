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
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector import lease, runs
from collector.money import ledger
from collector.money.ledger import BudgetSpent, Hold
from collector.money.prices import Billing
from collector.x.app_only import AppOnly
from collector.x.failures import Reach, XFailure
from collector.x.tries import Patience, Stopped, Tries

LOOKED_EVERY_S = 0.2
LONGEST_WAIT_S = 60.0


class Dated(Protocol):
    """An answer of X with its Date (UTC)."""

    @property
    def observed(self) -> datetime: ...


T = TypeVar("T", bound=Dated)


LEASE = "calls"
log = logging.getLogger(__name__)


class DeskTaken(Exception):
    """Another process buys calls now."""


class Desk(NamedTuple):
    """Where calls are bought: of which X, booked in which database and under which run; `stop` ends the waiting."""

    database: Database
    x: AppOnly
    billing: Billing
    run_id: int
    stop: threading.Event
    tries: Tries

    def buy(self, micro: int, ask: Callable[[], T], keep: Callable[[Session, T], None]) -> T:
        """Buy one call, keep what it brought, and return it; raises XFailure, BudgetSpent, Stopped, DatabaseUnavailable.

        One that X failed to answer is free and tried again. One whose answer is lost, or can't be stored, is not, and keeps its
        reservation, for X may have charged for it.
        """
        hold, sold = self._reserved(micro), True
        with ExitStack() as unless_kept:
            unless_kept.callback(lambda: self._release(hold, sold=sold))
            try:
                answer = self.tries.ask(partial(_once, ask))
            except XFailure as failure:
                sold = failure.sold
                raise

            def settle(session: Session) -> None:
                lease.refuse_while_restoring(session)
                ledger.settle_call(session, self.billing, hold, day=answer.observed.date(), micro=micro)
                keep(session, answer)

            self.database.write(settle, patience_s=lease.LASTS_S)
            unless_kept.pop_all()
        return answer

    def _reserved(self, micro: int) -> Hold:
        """Reserve the call's price; wait a while where what is in flight may leave room for it. Raises BudgetSpent, Stopped."""
        deadline = time.monotonic() + LONGEST_WAIT_S

        def reserve(session: Session) -> Hold | None:
            lease.refuse_while_restoring(session)
            return ledger.reserve_call(session, self.billing, self.run_id, micro, now=self.x.clock.now())

        while not self.stop.is_set():
            if hold := self.database.write(reserve):
                return hold
            if time.monotonic() > deadline:
                raise BudgetSpent("what others have reserved leaves nothing of the budget: try again later")
            self.stop.wait(LOOKED_EVERY_S)
        raise Stopped

    def _release(self, hold: Hold, *, sold: bool) -> None:
        now = self.x.clock.now()
        days = (now.date(), (now + self.x.longest).date()) if sold else None
        self.database.write(lambda session: ledger.release(session, hold, sold=days), patience_s=lease.LASTS_S)


def _once(ask: Callable[[], T]) -> T:
    """Ask, and let no further try follow a call that X may have charged for."""
    try:
        return ask()
    except XFailure as failure:
        if failure.sold and failure.reach is Reach.REQUEST:
            raise XFailure(failure.kind, Reach.TAG, str(failure), sold=True) from failure
        raise


@contextmanager
def open_desk(database: Database, x: AppOnly, billing: Billing, patience: Patience, stop: threading.Event) -> Iterator[Desk]:
    """Give a desk while the block runs; raises DeskTaken where another process has one.

    One at a time, so that what a process had in flight that died is known to be lost.
    """

    def take(session: Session) -> tuple[int, int]:
        lease.refuse_while_restoring(session)
        token = lease.take(session, f"{socket.gethostname()}:{os.getpid()}", name=LEASE)
        if token is None:
            raise DeskTaken("another process asks X for counts: try again in a minute")
        ledger.recover_calls(session, today=x.clock.now().date())
        return token, runs.chore(session)

    token, run_id = database.write(take)
    try:
        with lease.beating(database, token, stop.set, name=LEASE):
            yield Desk(database, x, billing, run_id, stop, Tries(patience, stop, _tell, x.clock))
    finally:
        with suppress(DatabaseUnavailable):
            database.write(lambda session: lease.give_back(session, token, name=LEASE))


def _tell(failure: XFailure) -> None:
    log.warning("call to X failed", extra={"kind": failure.kind, "reason": str(failure)})
