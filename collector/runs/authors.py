"""Reads authors by their ids after the pages of a collection: each request is reserved, bought once, and stored at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from sqlalchemy.orm import Session

from alchemy import DatabaseUnavailable
from collector import counters
from collector.ledger import ledger
from collector.ledger.ledger import DayTurned, HeldReservation, PageRequest
from collector.ledger.prices import PageContent
from collector.runs.buying import SETTLED_CHECKED_EVERY_S, CollectionContext
from collector.tweets.lookups import is_anyone_wanted, next_authors, store_looked_up
from collector.values import FoundUsers
from collector.x.client import UsersAnswer
from collector.x.clock import Days
from collector.x.failures import USERS, Stopped, XFailure
from collector.x.parsing import users

log = logging.getLogger(__name__)


class NextAuthors(NamedTuple):
    """The authors that are requested next, and their reservation, None while others may leave room for it."""

    ids: Sequence[int]
    reservation: HeldReservation | None


class AuthorsBought(NamedTuple):
    """An answer, its reservation (`reservation.again` if X may have sold it before), and the days of its sale."""

    found: FoundUsers
    answer: UsersAnswer
    reservation: HeldReservation
    days: Days


class AuthorReader:
    """Reads the authors that pages came without; what was stored before an error stays, the others are left to the next run."""

    def __init__(self, context: CollectionContext) -> None:
        self._context = context

    def read(self) -> None:
        """Read all; raises XFailure, BudgetSpent, Stopped, LeaseLost, DatabaseUnavailable."""
        with self._context.database.reading() as session:
            if not is_anyone_wanted(session):
                return
        while (following := self._reserve_next()) is not None:
            ids, reservation = following
            if reservation is None:
                self._context.stop.wait(SETTLED_CHECKED_EVERY_S)
                continue
            try:
                bought = self._buy(ids[: reservation.posts], reservation)
            except DayTurned:
                continue
            self._store(ids[: reservation.posts], bought)

    def _reserve_next(self) -> NextAuthors | None:
        """Reserve the next request; returns None if there is none. What a process that died left is taken over first."""
        context = self._context

        def reserve(session: Session) -> NextAuthors | None:
            if not context.in_flight:
                ledger.recover(session, context.billing, days=context.days())
            ids = next_authors(session, now=context.x.clock.now())
            words = f"users {','.join(map(str, ids))}"
            request = PageRequest(context.run_id, None, words, len(ids), PageContent.AUTHORS)
            return NextAuthors(ids, ledger.reserve(session, context.billing, request, days=context.days())) if ids else None

        if context.stop.is_set():
            raise Stopped
        with context.reserving:
            following = context.write(reserve)
            if following and following.reservation:
                context.in_flight.add(following.reservation.id)
        return following

    def _buy(self, ids: Sequence[int], reservation: HeldReservation) -> AuthorsBought:
        """Request the authors; if no answer comes, release the reservation, unless X may have sold them.

        What X may have sold is requested again on the same day only, because on another day it costs once more.
        """
        context, sold, sent = self._context, reservation.again, reservation.days

        def before_sending() -> None:
            nonlocal sold, sent
            sent = context.days_of_sending(reservation)
            sold = True  # unless X says that it refused

        def request() -> AuthorsBought:
            nonlocal sold
            before = sold
            try:
                answer = context.x.users(ids, before_sending)
            except XFailure as failure:
                sold = before or failure.sold
                raise (failure if reservation.days.sure or not sold else failure.for_good()) from failure.__cause__
            found, days = users(answer.body, observed=answer.observed), context.x.clock.billed_days(answer.observed, sent)
            return AuthorsBought(found, answer, reservation._replace(again=before), days)

        with ExitStack() as unless_bought:
            unless_bought.callback(lambda: self._release(reservation, sold=sold))
            bought = context.tries.ask(request)
            unless_bought.pop_all()
        return bought

    def _store(self, ids: Sequence[int], bought: AuthorsBought) -> None:
        """Store the authors and their price in one transaction."""
        context, (found, answer, reservation, days) = self._context, bought

        def store_authors(session: Session) -> None:
            store_looked_up(session, ids, found.authors, run_id=context.run_id, now=answer.observed)
            ledger.settle(session, context.billing, reservation, days=days, posts=frozenset(), users=found.ids)
            now = context.x.clock.now()
            counters.count_page(session, date=now, remaining=None, was_refused=context.was_refused, endpoint=USERS)

        with ExitStack() as unless_stored:
            unless_stored.callback(lambda: self._release(reservation, sold=True))
            context.write(store_authors)
            unless_stored.pop_all()
        context.in_flight.discard(reservation.id)
        for reason in found.refused:
            log.warning("author refused", extra={"reason": reason, "collection": context.run_id})
        log.info("authors stored", extra={"ids": len(ids), "users": len(found.ids), "collection": context.run_id})

    def _release(self, reservation: HeldReservation, *, sold: bool) -> None:
        """Release a reservation, or keep it if X may have sold the authors."""
        context = self._context
        days = context.days() if sold else None
        try:
            context.write(lambda session: ledger.release(session, reservation, sold=days))
        except DatabaseUnavailable as error:
            log.error("authors not stored", extra={"reason": str(error), "collection": context.run_id})
            context.stop.set()
        finally:
            context.in_flight.discard(reservation.id)
