"""One collection: its tags in parallel, each page stored as it arrives."""

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
from typing import NamedTuple

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable, DiskFailed
from collector import counters, sources
from collector.ledger.ledger import SMALLEST_PAGE, BudgetSpent
from collector.ledger.prices import Billing
from collector.runs import lease, runs
from collector.runs.authors import AuthorReader
from collector.runs.backfill import BackfillIds, PollUnfinished
from collector.runs.buying import CollectionContext, OnProgress, Untracked
from collector.runs.reading import EndlessListing, TagReader
from collector.runs.tags import TagOrder
from collector.values import Failure, TagRef
from collector.x.client import Search, X
from collector.x.failures import OK, SEARCH, SEARCH_ALL, FailureScope, RetryPolicy, Stopped, Tries, XFailure
from queries.counters import missing_fields
from queries.gaps import first_id

log = logging.getLogger(__name__)

MOST_TAGS_IN_PARALLEL = 10
STOPS_WITHIN_S = 20
STOP_CHECKED_EVERY_S = 0.2
FIRST_PAGE_WITHIN_S, PAGE_CHECKED_EVERY_S = 5.0, 0.02
END_TRIES, END_TRIED_EVERY_S = 10, 1.0
FAILURES = (XFailure, BudgetSpent, EndlessListing, Untracked, PollUnfinished, DatabaseUnavailable, sources.SourceRefused)
"""What fails a tag."""


class CollectionRecord(NamedTuple):
    """A collection on record: its access to X, its id and lease token, and its tags.

    With `ask_first`, a request that can't cost anything is sent before others: it shows X's time, and whether X refuses
    everything. `was_refused` says that X refused the collection before. A backfill reads the posts with these `ids`, and buys
    at most `most_posts` if a number was agreed on. `expands` says whether pages come with their authors, who are looked up
    afterwards otherwise.
    """

    x: X
    run_id: int
    token: int
    orders: Sequence[TagOrder]
    ask_first: bool
    was_refused: bool
    ids: BackfillIds | None
    most_posts: int | None = None
    expands: bool = True


class Collection:
    """A collection that holds the lease. Setting `stop` ends it after the page that is being read."""

    def __init__(
        self,
        database: Database,
        record: CollectionRecord,
        *,
        source: str,
        retry_policy: RetryPolicy,
        billing: Billing,
        on_progress: OnProgress,
    ) -> None:
        x, self._run_id, self._token, self._orders, self._asks_first, was_refused, self._ids, most, expands = record
        self._database, self._x, self._count = database, x, counters.request_counter(database)
        self._started = time.monotonic()
        self.stop = threading.Event()
        self._tries = Tries(retry_policy, self.stop, self._count_failure, x.clock)
        shared = (database, x, self._tries, self.stop, billing, self._run_id, self._token, source, on_progress)
        self._context = CollectionContext(*shared, was_refused, most, expands)
        self._stopping_failure: XFailure | BudgetSpent | None = None

    def run(self) -> None:
        """Collect all tags, close the record and give the lease back; raises LeaseLost, DatabaseUnavailable."""
        try:
            with lease.renewing(self._database, self._token, self.stop.set):
                if not self._asks_first or self._probe():
                    self._work()
                    self._look_up_authors()
        finally:
            self._x.close()
            self._end(self._failure(sys.exception()))

    def _probe(self) -> bool:
        """Search between two neighbouring ids, where no posts are: the answer, or a refusal, is free. Tell whether to go on."""
        nothing = first_id(datetime.now(UTC))
        for order in self._orders:
            search = Search(order.query, SMALLEST_PAGE, nothing - 1, nothing)
            try:
                self._tries.ask(lambda search=search: self._x.search(search))  # type: ignore[misc]
                self._count(SEARCH, OK)
            except XFailure as failure:
                if failure.reach is FailureScope.RUN:
                    self._stopping_failure = failure
                    break
            except Stopped:
                break
            if self._x.clock.is_known:
                return True
            self._tries = Tries(RetryPolicy(retries=0), self.stop, self._count_failure, self._x.clock)
        self._stopping_failure = self._stopping_failure or XFailure(
            "unwell", FailureScope.RUN, "X is unwell: no answer to any tag"
        )
        return False

    def _work(self) -> None:
        """Collect the tags, some in parallel. After a stop, wait up to STOPS_WITHIN_S seconds for pages in flight.

        The first tag begins alone, so that only one page is bought if X's posts lack their fields.
        """
        waiting: SimpleQueue[TagOrder] = SimpleQueue()
        for order in self._orders:
            waiting.put(order)
        count = 1 if self._ids or self._lacked_fields() else min(MOST_TAGS_IN_PARALLEL, len(self._orders))
        ends = [_in_thread(lambda: self._drain(waiting))]
        self._await_first_page(waiting)
        ends += [_in_thread(lambda: self._drain(waiting)) for _ in range(count - 1)]
        while wait(ends, timeout=STOP_CHECKED_EVERY_S).not_done:
            if self.stop.is_set():
                wait(ends, timeout=STOPS_WITHIN_S)
                break
        for end in ends:
            if end.done():
                end.result()

    def _await_first_page(self, waiting: SimpleQueue[TagOrder]) -> None:
        """Wait until a page has shown that X gives all fields, or the first tag has ended; at most FIRST_PAGE_WITHIN_S."""
        given, deadline = self._context.given, time.monotonic() + FIRST_PAGE_WITHIN_S
        while time.monotonic() < deadline and waiting.qsize() >= len(self._orders) - 1 > 0:
            if (given.posts and not given.missing()) or self.stop.wait(PAGE_CHECKED_EVERY_S):
                return

    def _look_up_authors(self) -> None:
        """Read the authors that pages came without, unless the collection is being stopped. The tags are done without them."""
        if self.stop.is_set() or self._stopping_failure:
            return
        try:
            AuthorReader(self._context).read()
        except lease.LeaseLost:
            self.stop.set()
        except Stopped:
            return
        except (XFailure, BudgetSpent, DatabaseUnavailable) as error:
            log.warning("authors not read", extra={"reason": str(error), "collection": self._run_id})
            self._stop_others(error)

    def _lacked_fields(self) -> bool:
        """Tell whether X gave too little the last time, so that one page shows whether it still does."""
        with self._database.reading() as session:
            return bool(missing_fields(session))

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
        """Close the record. Waits for a database that is busy or full for a moment, or the lease would have to expire."""
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
                counters.note_refusal(session, self._stopping_failure)
            if self._context.given.posts:
                counters.note_missing_fields(session, self._context.given.missing())
            counters.bump_sequence(session)
            if not lease.give_back(session, self._token):
                raise lease.LeaseLost("another holder has taken over")

        self._database.write(end, timeout_s=lease.LASTS_S)

    def _tag(self, order: TagOrder) -> None:
        """Collect one tag and record it if it failed."""
        try:
            reader = TagReader(self._context, order)
            reader.read_archive(self._ids) if self._ids else reader.read()
        except lease.LeaseLost:
            self.stop.set()
        except Stopped:
            self._fail_tag(order.tag, self._failure(None) or runs.INTERRUPTION)
        except FAILURES as error:
            self._stop_others(error)
            self._fail_tag(order.tag, Failure(error.kind, str(error)))

    def _stop_others(self, error: Exception) -> None:
        """Stop the other tags if they would fail as well, and remember what ends the collection."""
        if isinstance(error, XFailure) and error.reach is FailureScope.RUN:
            self._stopping_failure = error
            self.stop.set()
        elif isinstance(error, BudgetSpent):
            self._stopping_failure = self._stopping_failure or error
        elif isinstance(error, DiskFailed):
            reason = str(error)
            log.error("collection stopped: nothing more is written until the database is verified", extra={"reason": reason})
            self.stop.set()

    def _fail_tag(self, tag: TagRef, failure: Failure) -> None:
        log.warning("tag failed", extra={"tag": tag.tag, "reason": failure.reason, "collection": self._run_id})
        try:
            self._context.write(lambda session: runs.set_tag_state(session, self._run_id, tag, "failed", failure))
        except (DatabaseUnavailable, lease.LeaseLost) as error:
            log.warning("tag's state not recorded", extra={"tag": tag.tag, "reason": str(error)})

    def _count_failure(self, failure: XFailure) -> None:
        """Log the failure, and count an answer of X that was found wanting only when its page was read."""
        log.warning("request to X failed", extra={"kind": failure.kind, "reason": str(failure), "collection": self._run_id})
        if failure.endpoint is None:
            self._count(SEARCH_ALL if self._ids else SEARCH, failure.kind)


def _in_thread(work: Callable[[], None]) -> Future[None]:
    """Run in a daemon thread, which unlike a pool's does not delay the end of the process."""
    end: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 (the outermost code of a thread: passed on to the waiting thread)
            end.set_exception(error)
        else:
            end.set_result(None)

    threading.Thread(target=run, name="collector-tag", daemon=True).start()
    return end
