"""A lock for the writers of one process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from database.errors import DatabaseUnavailable

BUSY_TIMEOUT_S = 5


class FairLock:
    """A lock that threads get in the order in which they called `acquire`."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def acquire(self, timeout_s: float = BUSY_TIMEOUT_S) -> Iterator[None]:
        """Holds the lock until the block ends. Raises DatabaseUnavailable if it isn't free within the timeout."""
        ticket = object()
        try:
            with self._change:
                self._queue.append(ticket)
                if not self._change.wait_for(lambda: self._queue[0] is ticket, timeout_s):
                    raise DatabaseUnavailable("the database is busy")
            yield
        finally:
            with self._change:
                self._queue.remove(ticket)
                self._change.notify_all()
