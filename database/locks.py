"""Turns: the writers of a process, one after the other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from database.errors import DatabaseUnavailable

BUSY_TIMEOUT_S = 5


class FairLock:
    """A lock that is had in the order of asking."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def acquire(self, patience_s: float = BUSY_TIMEOUT_S) -> Iterator[None]:
        """Wait for one's turn, and have it until the block ends; raises DatabaseUnavailable after so many seconds."""
        mine = object()
        try:
            with self._change:
                self._queue.append(mine)
                if not self._change.wait_for(lambda: self._queue[0] is mine, patience_s):
                    raise DatabaseUnavailable("the database is busy")
            yield
        finally:
            with self._change:
                self._queue.remove(mine)
                self._change.notify_all()
