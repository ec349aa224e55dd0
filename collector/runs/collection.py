"""One collection: all tags at once, each page stored as it arrives."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable, DiskFailed
from collector import figures, sources
from collector.ledger.ledger import SMALLEST_PAGE, BudgetSpent
from collector.ledger.prices import Billing
from collector.runs import lease, listings, runs
from collector.runs.backfill import BackfillIds, PollUnfinished
from collector.runs.buying import CollectionContext, OnProgress, Untracked
from collector.runs.reading import TagReader
from collector.runs.terms import TagOrder
from collector.values import Failure, TagRef
from collector.x.client import Search, X
from collector.x.failures import Scope, XFailure
from collector.x.tries import RetryPolicy, Stopped, Tries
from queries.snowflakes import first_id

log = logging.getLogger(__name__)

MOST_TAGS_IN_PARALLEL = 10
STOPS_WITHIN_S = 20
STOP_CHECKED_EVERY_S = 0.2
END_TRIES, END_TRIED_EVERY_S = 10, 1.0


class Collection:
    """A collection that holds the lease under `token`. `stop` lets it end at the next page boundary."""

    def __init__(
        self,
        database: Database,
        x: X,
        *,
        run_id: int,
        token: int,
        source: str,
        patience: RetryPolicy,
        billing: Billing,
        on_progress: OnProgress,
        period: BackfillIds | None = None,
    ) -> None:
        self._period = period
        self._database, self._x = database, x
        self._run_id, self._token = run_id, token
        self._started = time.monotonic()
        self.stop = threading.Event()
        self._tries = Tries(patience, self.stop, self._count_failure, x.clock)
        self._job = CollectionContext(database, x, self._tries, self.stop, billing, run_id, token, source, on_progress)
        self._stopping_failure: XFailure | BudgetSpent | None = None

    def run(self, orders: Sequence[TagOrder], *, ask_first: bool) -> None:
        """Collect all tags and close the record; the lease is given back. Raises LeaseLost, DatabaseUnavailable.

        With `ask_first`, a request that can't cost anything shows X's time, and whether X refuses everything, before others.
        """
        try:
            with lease.renewing(self._database, self._token, self.stop.set):
                if not ask_first or self._probe(orders):
                    self._work(orders)
        finally:
            self._x.close()
            self._end(self._failure(sys.exception()))

    def _probe(self, orders: Sequence[TagOrder]) -> bool:
        """Ask for posts between two neighbouring ids, which are none: a free answer, as is a refusal. Tell whether to go on."""
        nothing = first_id(datetime.now(UTC))
        for order in orders:
            search = Search(order.query, SMALLEST_PAGE, nothing - 1, nothing)
            try:
                self._tries.ask(lambda search=search: self._x.search(search))  # type: ignore[misc]
            except XFailure as failure:
                if failure.reach is Scope.RUN:
                    self._stopping_failure = failure
                    break
            except Stopped:
                break
            if self._x.clock.is_known:
                return True
            self._tries = Tries(RetryPolicy(retries=0), self.stop, self._count_failure, self._x.clock)
        self._stopping_failure = self._stopping_failure or XFailure("unwell", Scope.RUN, "X is unwell: no answer to any tag")
        return False

    def _work(self, orders: Sequence[TagOrder]) -> None:
        """Collect the tags, some at once. When the run is stopped, pages in flight are waited for, but not for ever."""
        waiting: SimpleQueue[TagOrder] = SimpleQueue()
        for order in orders:
            waiting.put(order)
        count = 1 if self._period else min(MOST_TAGS_IN_PARALLEL, len(orders))
        ends = [_in_thread(lambda: self._drain(waiting)) for _ in range(count)]
        while wait(ends, timeout=STOP_CHECKED_EVERY_S).not_done:
            if self.stop.is_set():
                wait(ends, timeout=STOPS_WITHIN_S)
                break
        for end in ends:
            if end.done():
                end.result()

    def _drain(self, waiting: SimpleQueue[TagOrder]) -> None:
        with suppress(Empty):
            while True:
                self._tag(waiting.get(block=False))

    def _failure(self, crash: BaseException | None) -> Failure | None:
        if crash:
            return Failure("crash", f"the collector failed unexpectedly: {type(crash).__name__}; its log says more")
        if self._stopping_failure:
            return Failure(self._stopping_failure.kind, str(self._stopping_failure))
        return runs.INTERRUPTION if self.stop.is_set() else None

    def _end(self, failure: Failure | None) -> None:
        """Close the record; a database that is busy or full for a moment is waited for, or the lease would have to run out."""
        for _ in range(END_TRIES - 1):
            try:
                return self._end_record(failure)
            except DatabaseUnavailable as unavailable:
                log.warning("collection's end not recorded", extra={"collection": self._run_id, "reason": str(unavailable)})
                time.sleep(END_TRIED_EVERY_S)
        return self._end_record(failure)

    def _end_record(self, failure: Failure | None) -> None:
        def end(session: Session) -> None:
            runs.end(session, self._run_id, failure=failure, seconds=time.monotonic() - self._started)
            if isinstance(self._stopping_failure, XFailure):
                figures.note_refusal(session, self._stopping_failure)
            figures.bump_sequence(session)
            lease.give_back(session, self._token)

        self._job.write(end)

    def _tag(self, order: TagOrder) -> None:
        """Collect one tag and record how it ended; only a lost lease stops the others."""
        tag = order.tag
        try:
            self._begin(order)
            reader = TagReader(self._job, order)
            reader.read_archive(self._period) if self._period else reader.read()
            self._record(tag, "done")
        except XFailure as failure:
            if failure.reach is Scope.RUN:
                self._stopping_failure = failure
                self.stop.set()
            self._fail_tag(tag, Failure(failure.kind, str(failure)))
        except BudgetSpent as error:
            self._stopping_failure = self._stopping_failure or error
            self._fail_tag(tag, Failure(error.kind, str(error)))
        except (Untracked, PollUnfinished) as error:
            self._fail_tag(tag, Failure(error.kind, str(error)))
        except Stopped:
            self._fail_tag(tag, self._failure(None) or runs.INTERRUPTION)
        except (DatabaseUnavailable, sources.SourceRefused) as error:
            if isinstance(error, DiskFailed):
                log.error(
                    "collection stopped: nothing more is written until the database is verified", extra={"reason": str(error)}
                )
                self.stop.set()
            self._fail_tag(tag, Failure(error.kind, str(error)))
        except lease.LeaseLost:
            self.stop.set()

    def _fail_tag(self, tag: TagRef, failure: Failure) -> None:
        log.warning("tag failed", extra={"tag": tag.tag, "reason": failure.reason, "collection": self._run_id})
        try:
            self._record(tag, "failed", failure)
        except (DatabaseUnavailable, lease.LeaseLost) as error:
            log.warning("tag's state not recorded", extra={"tag": tag.tag, "reason": str(error)})

    def _begin(self, order: TagOrder) -> None:
        def begin(session: Session) -> None:
            runs.tag_state(session, self._run_id, order.tag, "running")
            listings.expire_gaps(session, order, self._run_id, now=self._x.clock.now())

        self._job.write(begin)

    def _record(self, tag: TagRef, state: str, failure: Failure | None = None) -> None:
        self._job.write(lambda session: runs.tag_state(session, self._run_id, tag, state, failure))

    def _count_failure(self, failure: XFailure) -> None:
        log.warning("request to X failed", extra={"kind": failure.kind, "reason": str(failure), "collection": self._run_id})
        with suppress(DatabaseUnavailable):  # a figure, not worth a run
            self._database.write(lambda session: figures.count_request(session, failure.kind))


def _in_thread(work: Callable[[], None]) -> Future[None]:
    """Run in a thread that doesn't hold up the end of the process, as a pool's would."""
    end: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 (a thread's end: handed to whoever waits)
            end.set_exception(error)
        else:
            end.set_result(None)

    threading.Thread(target=run, name="collector-tag", daemon=True).start()
    return end
