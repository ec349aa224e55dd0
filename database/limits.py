"""How long a thread waits for the database: time limits, and the lock of the writers of one process."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from database.errors import DatabaseUnavailable

BUSY_TIMEOUT_S = 5
MARGIN_S, LATE_S = 1.0, 0.5
"""How much later than its limit a request is given up, and a query that its server should have cancelled."""
SHORT_S, SHARE = 2.5, 1 / 3
"""How long to wait for what a healthy server answers at once (a ping, BEGIN, ROLLBACK, settings), and the share of a request's
time that this may take at most, so that there is time to try another server."""


class WaitLimits(NamedTuple):
    """The deadline of a request (monotonic), and the limits of a query and of what is answered at once, in seconds."""

    deadline: float = math.inf
    query_s: float = math.inf
    short_s: float = SHORT_S


_limits: ContextVar[WaitLimits] = ContextVar("limits", default=WaitLimits())  # noqa: B039 (it is frozen)


@contextmanager
def limit_waiting(*, seconds: float) -> Iterator[None]:
    """Limits how long this thread waits for the database in total, until the block ends."""
    token = _limits.set(WaitLimits(time.monotonic() + seconds, short_s=min(SHORT_S, seconds * SHARE)))
    try:
        yield
    finally:
        _limits.reset(token)


def limit_queries(seconds: float) -> None:
    """Removes the deadline of the enclosing `limit_waiting`, and limits each query instead."""
    _limits.set(WaitLimits(query_s=seconds))


def seconds_left(most: float = math.inf) -> float:
    """The seconds until this thread's deadline, `most` at most."""
    return max(0.0, min(most, _limits.get().deadline - time.monotonic()))


def short_s() -> float:
    """The seconds to wait for what is answered at once."""
    return _limits.get().short_s


def query_limit(within_s: float | None) -> float:
    """The seconds that the server may take for a query; infinite if there is no limit."""
    most = _limits.get().query_s if within_s is None else within_s
    return max(0.001, seconds_left(most + MARGIN_S) - MARGIN_S)


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
