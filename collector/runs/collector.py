"""The collector of a process: starts collections, one at a time, and stops the one that runs in this process."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector import sources
from collector.counters import request_counter
from collector.ledger.billing_days import counted_months
from collector.ledger.prices import Billing, Cost
from collector.runs import lease, runs, tags
from collector.runs.backfill import BackfillPeriod
from collector.runs.buying import OnProgress
from collector.runs.collection import STOPS_WITHIN_S, Collection, CollectionRecord
from collector.runs.invented_history import ArchiveSearch, invent_history
from collector.runs.tags import TagOrder
from collector.tweets.derived import reindex_outdated
from collector.tweets.rereading import reread_outdated
from collector.x.client import Access, Vocabulary, X
from collector.x.clock import XClock
from collector.x.failures import RetryPolicy
from models import Spend, StoredCounter
from queries import collections
from queries.balances import Authors, authors
from queries.billing import BillingDays, billing_days, stored_values
from queries.counters import X_REFUSES, x_now
from queries.spend import Outlook, outlook

log = logging.getLogger(__name__)


WITHOUT_BOUND = 10**9
NONE_TRACKED = "no tag is tracked: PUT /tags/{tag} tracks one; TAGS adds only those that this database has never known"


class CollectionRunning(Exception):
    """Another collection, or a command that must not run beside one, holds the lease."""

    def __init__(self, run_id: int | None) -> None:
        super().__init__("another collection runs" if run_id else "another command holds the database: try again in a minute")
        self.run_id = run_id


EVER = datetime.min.replace(tzinfo=UTC)


class NotDue(Exception):
    """A collection began after the time given, so another isn't due yet."""


class NothingTracked(Exception):
    """No tag is tracked, so there is nothing to collect."""


class RunningCollection(NamedTuple):
    """A collection that runs in this process and buys at most `most` posts.

    `over` is set when its record is closed: to None, or to the reason why it could not be closed.
    """

    run_id: int
    most: int
    over: Future[str | None]


class XSource(Protocol):
    """Where tweets come from: `name` marks the database, `reach` returns how to access it."""

    @property
    def name(self) -> str: ...

    def reach(self) -> Access: ...

    def close(self) -> None: ...


class CollectionOrder(NamedTuple):
    """What the settings say of collections: tags, tweets per tag, retry policy, prices and budget, how authors are read.

    `every` is COLLECT_EVERY, None where it is off; the database can have another interval (collector/jobs/interval.py).
    """

    tags: Sequence[str]
    tw_number: int
    retry_policy: RetryPolicy
    billing: Billing
    authors: str = "expand"
    every: timedelta | None = None


class Collector:
    """Collects into `database` from `source`, one collection at a time. `read_only` while no primary database was reachable.

    `archive`, which only the emulator's own database has, gives its first start two weeks of history.
    """

    def __init__(
        self, database: Database, source: XSource, order: CollectionOrder, *, archive: ArchiveSearch | None = None
    ) -> None:
        self.database, self.source, self.order, self._archive = database, source, order, archive
        self.clock, self.read_only = XClock(), False
        self._vocabulary = Vocabulary()
        self._running: dict[int, tuple[Collection, Future[str | None]]] = {}

    def prepare(self) -> None:
        """Migrate the database, read texts and payloads again where this version reads them otherwise, and track new tags."""
        self.database.upgrade()

        def follow(session: Session) -> None:
            reindex_outdated(session)
            reread_outdated(session)
            tags.track_new(session, self.order.tags)

        self.database.write(follow)

    def start_first(self) -> RunningCollection | None:
        """Start a collection if the database has neither a tweet nor a collection on record."""
        if self._has_invented_history():
            return self.start()
        with self.database.reading() as session:
            first = sources.source_of(session) is None and not runs.is_any_recorded(session)
        try:
            return self.start(due_since=EVER) if first else None
        except (CollectionRunning, NotDue):  # another process was first, and may be done already
            return None

    def _has_invented_history(self) -> bool:
        """Give the emulator's own database its history at its first start, and return whether this was it."""
        archive = self._archive
        return archive is not None and self.database.write(
            lambda session: invent_history(session, archive, now=x_now(session).replace(microsecond=0))
        )

    def start(
        self, *, on_progress: OnProgress | None = None, due_since: datetime | None = None, period: BackfillPeriod | None = None
    ) -> RunningCollection:
        """Start a collection in a thread of its own; with `due_since`, only if none has begun since then.

        With a `period` it is a backfill, which reads all posts of the period from the full archive, within what was quoted.
        Raises SourceRefused, NothingTracked, CollectionRunning, NotDue, DatabaseUnavailable.
        """
        record = self._begin(due_since, period)
        billing, retry_policy = self.order.billing, self.order.retry_policy
        report = on_progress or (lambda _progress: None)
        collection = Collection(
            self.database, record, source=self.source.name, retry_policy=retry_policy, billing=billing, on_progress=report
        )
        over: Future[str | None] = Future()
        self._running[record.run_id] = collection, over
        threading.Thread(target=self._run, args=(collection, record.run_id, over), name="collection", daemon=True).start()
        return RunningCollection(record.run_id, sum(order.most for order in record.orders), over)

    def outcome(self, started: RunningCollection, *, seconds: float | None = None) -> collections.CollectionView:
        """Wait for a collection's end, at most `seconds`, and return its outcome; raises TimeoutError, DatabaseUnavailable."""
        reason = started.over.result(seconds)
        with self.database.reading() as session:
            view = collections.collection(session, started.run_id)
        if view is None:
            raise DatabaseUnavailable("the collection is not on record any more")
        return collections.as_broken_off(view, reason) if reason else view

    def stop(self) -> None:
        """Make the collections of this process end after the page that is being read."""
        for running, _ in list(self._running.values()):
            running.stop.set()

    def close(self, *, seconds: float = STOPS_WITHIN_S + 5) -> None:
        """Stop, wait for the end, and close the source and the database."""
        self.stop()
        wait([over for _, over in list(self._running.values())], timeout=seconds)
        self.source.close()
        self.database.close()

    def orders(self, session: Session) -> Sequence[TagOrder]:
        """Return what a collection would collect."""
        return tags.orders(session, most=self.order.tw_number)

    def most(self, orders: Sequence[TagOrder]) -> Cost:
        """Return what a collection of these tags can cost."""
        posts = sum(order.most for order in orders)
        return self.order.billing.prices.cost(posts=posts, users=posts)

    def looks_up_authors(self, session: Session) -> bool:
        """Whether a collection reads authors by their ids, and not with every page.

        That costs less only if X charges for authors that come with pages, so `auto` waits until the balance has shown it.
        """
        if self.order.authors == "auto":
            known = authors(session)
            return known is not None and known.charged
        return self.order.authors == "lookup"

    def outlook(self, session: Session) -> Outlook:
        """Return the spend of today and of this billing month, by X's clock; of several, the one that used the most."""
        today = x_now(session).date()
        months = counted_months(session, self.order.billing, [today])
        return max((outlook(session, today=today, start=start, end=end) for start, end in months), key=lambda one: one.used)

    def billing_days(self, session: Session) -> BillingDays:
        """Return the days on which billing months begin against which the budget holds today."""
        return billing_days(stored_values(session), self.order.billing.day, on=x_now(session).date())

    def _begin(self, due_since: datetime | None, period: BackfillPeriod | None) -> CollectionRecord:
        is_priced = self.source.name == sources.REAL and period is None

        def begin(session: Session) -> tuple[CollectionRecord, Authors | None]:
            sources.require(session, self.source.name)
            orders = self.orders(session)
            if period:
                orders = [order._replace(most=WITHOUT_BOUND) for order in period.of(orders)]
            if not orders:
                raise NothingTracked(NONE_TRACKED)
            if due_since and (last := runs.newest_start(session)) and due_since < last <= datetime.now(UTC):
                raise NotDue
            token = lease.take(session, f"{socket.gethostname()}:{os.getpid()}")
            if token is None:
                raise CollectionRunning(runs.running(session))
            was_bought, was_refused, is_interrupted = session.execute(_HISTORY).one()
            if is_interrupted:
                runs.end_interrupted(session)
            record = CollectionRecord(
                x=X(self.source.reach(), self.clock, request_counter(self.database), self._vocabulary),
                run_id=runs.begin(session, orders, token=token, backfills=period is not None),
                token=token,
                orders=orders,
                ask_first=self.clock.is_in_doubt or was_refused or (was_bought and not self.clock.is_known),
                was_refused=was_refused,
                ids=period.ids(now=self.clock.now() if self.clock.is_known else x_now(session)) if period else None,
                most_posts=period.most if period else None,
                expands=not self.looks_up_authors(session),
            )
            return record, authors(session) if is_priced else None

        record, charged = self.database.write(begin)
        facts: dict[str, object] = {"tags": [order.tag.tag for order in record.orders], "x": self.source.name}
        if is_priced:
            most = self.most(record.orders)
            both = {"floor_usd_at_most": most.floor / 1e6, "ceiling_usd_at_most": most.ceiling / 1e6}
            facts |= {"usd_at_most": charged.price(*most) / 1e6} if charged and record.expands else both
        log.info("collection started", extra={"collection": record.run_id, **facts})
        return record

    def _run(self, collection: Collection, run_id: int, over: Future[str | None]) -> None:
        reason: str | None = None
        try:
            collection.run()
        except (lease.LeaseLost, DatabaseUnavailable) as error:
            reason = str(error)
            log.error("collection broken off", extra={"collection": run_id, "reason": str(error)})
        except Exception:
            log.exception("collection failed", extra={"collection": run_id})
        finally:
            log.info("collection ended", extra={"collection": run_id})
            self._running.pop(run_id, None)
            over.set_result(reason)


_HISTORY = select(exists().select_from(Spend), exists().where(StoredCounter.name == X_REFUSES), exists().where(runs.IS_RUNNING))
"""Whether anything was ever bought, whether X refused the newest collection, and whether one was left running."""
