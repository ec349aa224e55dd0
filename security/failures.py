"""Wrong tokens: a client that keeps sending them waits for each response, at most a second, and is logged."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

SLEEP = "guard.sleep"  # in the WSGI environment: replaces time.sleep in tests
FIRST_S, LONGEST_S = 0.05, 0.7
MOST_WAITING = 8  # each blocks a thread; further ones are refused at once, as tokens are too long to be guessed
FORGET_AFTER_S = 300.0
MOST_CLIENTS = 10_000  # about 2 MB


class FailedAttempts:
    """Counts recent wrong tokens per client address. A right token is never delayed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._clients: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)

    def slow_down(self, environ: dict[str, Any]) -> None:
        """Count a failure of the request's client, and sleep twice as long as the last time."""
        client = str(environ.get("REMOTE_ADDR", ""))
        count = self._increment(client)
        if count & (count - 1) == 0:
            log.warning("wrong token", extra={"failures": count, "ecs_fields": {"client": {"ip": client}}})
        if self._waiting.acquire(blocking=False):
            environ.get(SLEEP, time.sleep)(min(LONGEST_S, FIRST_S * 2 ** min(count - 1, 10)))
            self._waiting.release()

    def _increment(self, client: str) -> int:
        now = self._clock()
        with self._lock:
            count, last = self._clients.pop(client, (0, now))
            count = 1 if now - last > FORGET_AFTER_S else count + 1
            self._clients[client] = count, now
            if len(self._clients) > MOST_CLIENTS:
                self._clients.popitem(last=False)
        return count
