"""The newest state of a database. It is queried only after a commit, and by one query for all threads that wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from alchemy import Database, DatabaseUnavailable
from database.limits import seconds_left
from queries.counters import NEWEST, Stamp, stamp_of

LONGEST_S, MOST_WAITING = 5.0, 64
SILENT = "the database doesn't answer"

Rows = tuple[tuple[str, int], ...]


class Newest:
    """The newest state of a database. Safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        self._database, self._question = database, SharedQuestion(lambda: tuple(map(tuple, database.query(NEWEST))))
        self._seen: tuple[bytes, Stamp] | None = None

    def stamp(self) -> Stamp:
        """Return the stamp of the newest state. Raises DatabaseUnavailable."""
        mark, seen = self._database.commit_mark(), self._seen
        if mark and seen and seen[0] == mark:
            return seen[1]
        stamp = stamp_of(self._question.answer())
        if mark and mark == self._database.commit_mark():
            self._seen = mark, stamp
        return stamp

    def state(self) -> Hashable:
        """Return a value that differs after every commit; on a database server, after every change of what the API shows."""
        if self._database.has_commit_marks:
            return self._database.commit_mark() or object()
        return self._question.answer()

    def this_minute(self) -> Hashable:
        """Return the state and the minute: responses that also depend on the time may be cached for the rest of it."""
        return self.state(), int(time.time()) // 60


class SharedQuestion:
    """A query that is executed once for all threads that need its answer at the same time.

    A thread takes only the answer of a query that began after the thread's call, so that no change that it may know of is
    missing. It waits for other threads' queries at most LONGEST_S, and not at all for one that takes that long already.
    """

    def __init__(self, ask: Callable[[], Rows]) -> None:
        self._ask, self._changed = ask, threading.Condition()
        self._begun = self._answered = self._waiting = 0
        self._since = 0.0
        self._asking = False
        self._answer: Rows | DatabaseUnavailable = ()

    def answer(self) -> Rows:
        """Return the answer; raises DatabaseUnavailable, in all threads that wait for the same query."""
        with self._changed:
            wanted = self._begun + 1
            if self._asking and (self._waiting >= MOST_WAITING or time.monotonic() - self._since > LONGEST_S):
                raise DatabaseUnavailable(SILENT)
            self._waiting += 1
            try:
                if not self._changed.wait_for(lambda: not self._asking or self._answered >= wanted, seconds_left(LONGEST_S)):
                    raise DatabaseUnavailable(SILENT)
            finally:
                self._waiting -= 1
            if self._answered >= wanted:
                return _unwrap(self._answer)
            self._asking, self._begun, self._since = True, self._begun + 1, time.monotonic()
            number = self._begun
        found: Rows | DatabaseUnavailable | None = None
        try:
            found = self._ask()
        except DatabaseUnavailable as error:
            found = error
        finally:
            with self._changed:
                self._asking = False
                if found is not None:
                    self._answered, self._answer = number, found
                self._changed.notify_all()
        return _unwrap(found)


def _unwrap(answer: Rows | DatabaseUnavailable) -> Rows:
    if isinstance(answer, DatabaseUnavailable):
        raise answer
    return answer
