"""Reads posts again by their ids, 100 a request: each request is reserved, sent once, and stored with its price.

X bills a post once a UTC day. So posts that were bought on the same day cost nothing (`is_free`): a lost answer leaves nothing
reserved, and a request that X may have answered is not repeated. For all others it is as for pages of a collection.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector import counters, sources
from collector.ledger import ledger
from collector.ledger.ledger import BudgetReserved, DayTurned, HeldReservation, LedgerEntry, PageRequest
from collector.ledger.prices import Billing, PageContent
from collector.refresh.looks import Look, LookPlan, LookStored
from collector.runs import lease, runs
from collector.runs.collector import Collector
from collector.tweets.observations import store_observations
from collector.values import FoundTweets
from collector.x.app_only import AppOnly
from collector.x.client import TweetsAnswer, Vocabulary, X
from collector.x.clock import Days
from collector.x.failures import TWEETS, Stopped, Tries, XFailure
from collector.x.parsing import tweets
from queries.counters import is_live

T = TypeVar("T")

log = logging.getLogger(__name__)

LEASE = "refresh"
SETTLED_CHECKED_EVERY_S, SETTLED_WITHIN_S = 0.2, 60.0


class RefreshRunning(Exception):
    """Another process reads tweets again."""

    kind = "busy"


class LookBought(NamedTuple):
    """An answer, its reservation (`reservation.again` if X may have sold it before), and the days of its sale."""

    found: FoundTweets
    answer: TweetsAnswer
    reservation: HeldReservation
    days: Days


@dataclass
class LookUps:
    """Look-ups of a process that holds the lease, under a run of its own unless they continue an earlier one's."""

    database: Database
    x: X
    app: AppOnly
    billing: Billing
    tries: Tries
    stop: threading.Event
    token: int
    source: str
    run_id: int = 0
    renewals: lease.Renewals = field(default_factory=lease.Renewals)
    _reset: TweetsAnswer | None = None

    def write(self, change: Callable[[Session], T]) -> T:
        """Commit a change while the lease is this process's; raises LeaseLost, DatabaseUnavailable."""

        def change_with_lease(session: Session) -> T:
            lease.refuse_while_restoring(session)
            lease.renew(session, self.token, name=LEASE)
            return change(session)

        return self.renewals.renew(lambda: self.database.write(change_with_lease, timeout_s=lease.LASTS_S))

    def look(self, plan: LookPlan) -> LookStored | None:
        """Do the next look and return what came, or None if there is none left.

        It waits a minute for requests in flight that may leave room in the budget; those of a collector that died stay until
        the next one. Raises XFailure, BudgetSpent, Stopped, LeaseLost, DatabaseUnavailable, and what `plan.allow` raises.
        """
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while True:
            plan.allow()
            if self.stop.is_set():
                raise Stopped
            if self._reset:
                reset, self._reset = self._reset.reset, None
                self.tries.wait_for_reset(reset)
            reserved = self.write(lambda session: self._reserve(session, plan))
            if reserved is None:
                return None
            look, reservation = reserved
            if reservation is None:
                if time.monotonic() > deadline:
                    raise BudgetReserved("what others have reserved leaves nothing of the budget: it is tried again later")
                self.stop.wait(SETTLED_CHECKED_EVERY_S)
                continue
            with suppress(DayTurned):
                return self._store(plan, look, self._buy(plan, look, reservation))

    def _reserve(self, session: Session, plan: LookPlan) -> tuple[Look, HeldReservation | None] | None:
        """Reserve the next look; the reservation is None while others may leave room for it."""
        look = plan.choose(session)
        if look is None:
            return None
        if not self.run_id:
            self.run_id = runs.begin_job_run(session)
        posts = len(look.ids)
        if plan.most_posts is not None:
            posts = min(posts, ledger.posts_left(session, self.run_id, plan.most_posts))
        ids = look.ids[:posts]
        words = f"{ledger.SAME_DAY if plan.is_free else ledger.AGAIN} {','.join(map(str, ids))}"
        request = PageRequest(self.run_id, None, words, len(ids), PageContent.POSTS_BY_ID)
        reservation = ledger.reserve(session, self.billing, request, days=self._days_ahead())
        if reservation is None:
            return look, None
        look = look._replace(ids=ids[: reservation.posts])
        plan.chosen(session, look)
        return look, reservation

    def _buy(self, plan: LookPlan, look: Look, reservation: HeldReservation) -> LookBought:
        """Request the posts; if no answer comes, release the reservation, unless X may have sold them and they are not free."""
        sold, sent = reservation.again, reservation.days

        def before_sending() -> None:
            nonlocal sold, sent
            sent = self._days_of_sending(plan, reservation)
            sold = True  # unless X says that it refused

        def request() -> LookBought:
            nonlocal sold
            before = sold
            try:
                answer = self.x.tweets(look.ids, before_sending)
            except XFailure as failure:
                sold = before or failure.sold
                is_final = sold and (plan.is_free or not reservation.days.sure)
                raise (failure.for_good() if is_final else failure) from failure.__cause__
            found, days = tweets(answer.body, observed=answer.observed), self.x.clock.billed_days(answer.observed, sent)
            return LookBought(found, answer, reservation._replace(again=before), days)

        with ExitStack() as unless_bought:
            unless_bought.callback(lambda: self._release(plan, look, reservation, sold=sold))
            bought = self.tries.ask(request)
            unless_bought.pop_all()
        return bought

    def _store(self, plan: LookPlan, look: Look, bought: LookBought) -> LookStored:
        """Store an answer in one transaction: newer numbers and texts, what is gone, its price, and how far the looks are."""
        found, answer, reservation, days = bought
        gone = found.gone.intersection(look.ids)

        def store(session: Session) -> LookStored:
            sources.require(session, self.source)
            store_observations(session, found.tweets, run_id=self.run_id)
            entry: LedgerEntry = ledger.settle(
                session, self.billing, reservation, days=days, posts=found.posts, users=frozenset()
            )
            removed = plan.gone(session, look, gone)
            counters.count_page(session, date=self.x.clock.now(), remaining=None, endpoint=TWEETS)
            stored = LookStored(len(found.posts), entry.posts, removed, len(gone))
            plan.stored(session, look, stored)
            return stored

        with ExitStack() as unless_stored:
            unless_stored.callback(lambda: self._release(plan, look, reservation, sold=True))
            stored = self.write(store)
            unless_stored.pop_all()
        self._reset = answer if answer.remaining == 0 else None
        for reason in found.refused:
            log.warning("tweet refused", extra={"reason": reason})
        facts = {"ids": len(look.ids), "posts": stored.posts, "bought": stored.bought, "removed": stored.removed}
        log.info("tweets read again", extra={**facts, "withheld": len(found.withheld)})
        return stored

    def _release(self, plan: LookPlan, look: Look, reservation: HeldReservation, *, sold: bool) -> None:
        """Release a reservation, or keep it if X may have sold the posts for money. What X did not answer is read later."""
        days = self._days_ahead() if sold and not plan.is_free else None

        def release(session: Session) -> None:
            ledger.release(session, reservation, sold=days)
            if not sold:
                plan.undo(session, look)

        with suppress(lease.LeaseLost):
            self.write(release)

    def _days_ahead(self) -> Days:
        return self.x.clock.days(ahead=self.x.longest)

    def _days_of_sending(self, plan: LookPlan, reservation: HeldReservation) -> Days:
        """Return the days on which X may bill a request that is sent now; the process may have slept since reserving it."""
        self.renewals.ensure_fresh(lambda: self.write(lambda _session: None))
        if self.stop.is_set():
            raise Stopped
        plan.allow()
        if not reservation.days.cover(self._days_ahead()):
            raise DayTurned
        return self.x.clock.days()


def is_reading(session: Session) -> bool:
    """Whether a process reads tweets again, or died doing so less than a minute ago."""
    return bool(session.scalar(select(exists().where(is_live(LEASE)))))


@contextmanager
def look_ups(collector: Collector, stop: threading.Event) -> Iterator[LookUps]:
    """Provide the look-ups of a collector's database, to one process at a time.

    What a process that died has left reserved for posts of the same day is released. Raises RefreshRunning, SourceRefused.
    """
    database, order, source = collector.database, collector.order, collector.source.name

    def take(session: Session) -> int:
        lease.refuse_while_restoring(session)
        sources.require(session, source)
        token = lease.take(session, f"{socket.gethostname()}:{os.getpid()}", name=LEASE)
        if token is None:
            raise RefreshRunning("tweets are being read again already: try again when that is done")
        ledger.recover_looks(session, days=collector.clock.days(ahead=access.longest))
        return token

    access, count = collector.source.reach(), counters.request_counter(database)
    renewals = lease.Renewals()
    token = database.write(take)
    try:
        with (
            lease.renewing(database, token, stop.set, name=LEASE),
            closing(X(access, collector.clock, count, Vocabulary())) as x,
            closing(AppOnly(access, collector.clock, count)) as app,
        ):
            tries = Tries(order.retry_policy, stop, _log_failure, collector.clock)
            yield LookUps(database, x, app, order.billing, tries, stop, token, source, renewals=renewals)
    except lease.LeaseLost as error:
        raise Stopped from error
    finally:
        with suppress(DatabaseUnavailable):
            database.write(lambda session: lease.give_back(session, token, name=LEASE))


def _log_failure(failure: XFailure) -> None:
    log.warning("request to X failed", extra={"kind": failure.kind, "reason": str(failure)})
