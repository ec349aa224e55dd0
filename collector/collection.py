"""One collection: all tags at once, each page stored as it arrives."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

from alchemy import Database, DatabaseUnavailable
from collector import figures, lease, runs, sources
from collector.failures import OK, Reach, XFailure
from collector.parsing import page
from collector.store import store
from collector.tries import Patience, Stopped, Tries
from collector.values import Find, Page, TagRef
from collector.x import RateLimit, X
from queries.collections import INTERRUPTED

log = logging.getLogger(__name__)

MOST_TAGS_AT_ONCE = 10
MOST_EMPTY_PAGES = 10
STOPS_WITHIN_S = 20
STOP_CHECKED_EVERY_S = 0.2
SMALLEST_PAGE, LARGEST_PAGE = 10, 100


class Progress(NamedTuple):
    """A stored page: how many posts it brought, of how many the tag may buy at most."""

    tag: str
    posts: int
    added: int
    most: int


OnProgress = Callable[[Progress], None]


class Collection:
    """A collection that holds the lease under `token`. `stop` lets it end at the next page boundary."""

    def __init__(self, database: Database, x: X, *, run_id: int, token: int, source: str, patience: Patience) -> None:
        self._database, self._x = database, x
        self._run_id, self._token, self._source = run_id, token, source
        self._started = time.monotonic()
        self.stop = threading.Event()
        self._tries = Tries(patience, self.stop, self._count_failure)
        self._stopping_failure: XFailure | None = None
        self._bought = threading.Lock()
        self._posts: set[int] = set()
        self._users: set[int] = set()

    def run(self, tags: Sequence[TagRef], *, tw_number: int, on_progress: OnProgress) -> None:
        """Collect all tags and close the record; the lease is given back. Raises LeaseLost, DatabaseUnavailable."""
        heart = threading.Event()
        beating = threading.Thread(target=self._beat, args=(heart,), name="collector-lease", daemon=True)
        beating.start()
        try:
            self._work(tags, tw_number, on_progress)
        finally:
            heart.set()
            beating.join()
            self._x.close()
            self._end(self._error(sys.exception()))

    def _work(self, tags: Sequence[TagRef], tw_number: int, on_progress: OnProgress) -> None:
        """Collect the tags, some at once. When the run is stopped, pages in flight are waited for, but not for ever."""
        waiting: SimpleQueue[TagRef] = SimpleQueue()
        for tag in tags:
            waiting.put(tag)
        count = min(MOST_TAGS_AT_ONCE, len(tags))
        ends = [_in_thread(lambda: self._drain(waiting, tw_number, on_progress)) for _ in range(count)]
        while wait(ends, timeout=STOP_CHECKED_EVERY_S).not_done:
            if self.stop.is_set():
                wait(ends, timeout=STOPS_WITHIN_S)
                break
        for end in ends:
            if end.done():
                end.result()

    def _drain(self, waiting: SimpleQueue[TagRef], tw_number: int, on_progress: OnProgress) -> None:
        with suppress(Empty):
            while True:
                self._tag(waiting.get(block=False), tw_number, on_progress)

    def _error(self, crash: BaseException | None) -> str | None:
        if crash:
            return f"the collector failed unexpectedly: {type(crash).__name__}; its log says more"
        if self._stopping_failure:
            return str(self._stopping_failure)
        return INTERRUPTED if self.stop.is_set() else None

    def _end(self, error: str | None) -> None:
        with self._database.writing() as session:
            lease.renew(session, self._token)
            runs.end(session, self._run_id, error=error, seconds=time.monotonic() - self._started)
            figures.changed(session)
            lease.give_back(session, self._token)

    def _beat(self, heart: threading.Event) -> None:
        while not heart.wait(lease.RENEWED_EVERY_S):
            try:
                with self._database.writing() as session:
                    lease.renew(session, self._token)
            except lease.LeaseLost:
                self.stop.set()
                return
            except DatabaseUnavailable as error:
                log.warning("lease not renewed", extra={"reason": str(error)})

    def _tag(self, tag: TagRef, tw_number: int, on_progress: OnProgress) -> None:
        """Collect one tag and record how it ended; only a lost lease stops the others."""
        try:
            self._record(tag, "running")
            self._pages(tag, tw_number, on_progress)
            self._record(tag, "done")
        except XFailure as failure:
            if failure.reach is Reach.RUN:
                self._stopping_failure = failure
                self.stop.set()
            self._failed(tag, str(failure))
        except Stopped:
            self._failed(tag, str(self._stopping_failure or INTERRUPTED))
        except (DatabaseUnavailable, sources.SourceRefused) as error:
            self._failed(tag, str(error))
        except lease.LeaseLost:
            self.stop.set()

    def _failed(self, tag: TagRef, reason: str) -> None:
        log.warning("tag failed", extra={"tag": tag.tag, "reason": reason, "collection": self._run_id})
        try:
            self._record(tag, "failed", reason)
        except (DatabaseUnavailable, lease.LeaseLost) as error:
            log.warning("tag's state not recorded", extra={"tag": tag.tag, "reason": str(error)})

    def _record(self, tag: TagRef, state: str, reason: str | None = None) -> None:
        with self._database.writing() as session:
            lease.renew(session, self._token)
            runs.tag_state(session, self._run_id, tag, state, reason)

    def _pages(self, tag: TagRef, tw_number: int, on_progress: OnProgress) -> None:
        """Buy pages, newest first, until the tag's number is reached or X has no more.

        X sells no fewer than SMALLEST_PAGE posts at once, so the number is not quite reached where a page came short.
        """
        next_token, remaining, empty = None, tw_number, 0
        while remaining >= SMALLEST_PAGE and empty < MOST_EMPTY_PAGES:
            if self.stop.is_set():
                raise Stopped
            found, limit = self._bought_page(tag, page_size(remaining), next_token)
            added = self._store(tag, found, limit)
            remaining -= len(found.posts)
            empty = 0 if found.posts else empty + 1
            on_progress(Progress(tag.tag, len(found.posts), added, tw_number))
            if not found.next_token or found.next_token == next_token:
                return
            next_token = found.next_token

    def _count_failure(self, failure: XFailure) -> None:
        log.warning("request to X failed", extra={"kind": failure.kind, "reason": str(failure), "collection": self._run_id})
        with self._database.writing() as session:
            figures.asked_x(session, failure.kind)

    def _bought_page(self, tag: TagRef, size: int, next_token: str | None) -> tuple[Page, RateLimit]:
        answer = self._tries.ask(lambda: self._x.search(tag.tag, max_results=size, next_token=next_token))
        found = page(answer.body, observed=answer.observed)
        for reason in found.refused:
            log.warning("tweet refused", extra={"tag": tag.tag, "reason": reason, "collection": self._run_id})
        return found, answer.rate_limit

    def _store(self, tag: TagRef, found: Page, limit: RateLimit) -> int:
        """Store a page, its links and its counts in one transaction, and return how many tweets are new."""
        finds = [Find(tweet, (tag,)) for tweet in found.tweets]
        with self._bought:
            posts, users = len(found.posts - self._posts), len(found.users - self._users)
            self._posts |= found.posts
            self._users |= found.users
        with self._database.writing() as session:
            lease.renew(session, self._token)
            sources.claim(session, self._source)
            added = store(session, finds, found.authors, run_id=self._run_id)
            runs.add(session, self._run_id, tag, added=added, posts=posts, users=users)
            figures.asked_x(session, OK, remaining=limit.remaining)
            figures.changed(session)
        fields = {"tag": tag.tag, "posts": len(found.posts), "added": added, "collection": self._run_id}
        log.info("page stored", extra=fields)
        return added


def page_size(remaining: int) -> int:
    """Return how many posts to ask for, so that what remains afterwards is nothing or can be asked for as well."""
    if remaining <= LARGEST_PAGE:
        return remaining
    return min(LARGEST_PAGE, remaining - SMALLEST_PAGE) if remaining < LARGEST_PAGE + SMALLEST_PAGE else LARGEST_PAGE


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
