"""Wrong tokens: who sends them again and again waits for the answer, for a second at most, and the log says so."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

HOLD = "guard.hold"  # in the WSGI environment: what is called instead of time.sleep
FIRST_S, LONGEST_S = 0.05, 0.7
MOST_WAITING = 8  # each holds a thread; a guesser with more connections than that has nothing to gain, tokens are too long
FORGOTTEN_S = 300.0
MOST_CLIENTS = 10_000  # a bound to memory, of about 2 MB


class FailedAttempts:
    """How often each client has sent a wrong token lately. A right one is answered at once, whatever came before it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._clients: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)

    def slow_down(self, environ: dict[str, Any]) -> None:
        """Note a failure of the request's client, and hold its answer back: twice as long each time."""
        client = str(environ.get("REMOTE_ADDR", ""))
        count = self._note(client)
        if count & (count - 1) == 0:
            log.warning("wrong token", extra={"failures": count, "ecs_fields": {"client": {"ip": client}}})
        if self._waiting.acquire(blocking=False):
            environ.get(HOLD, time.sleep)(min(LONGEST_S, FIRST_S * 2 ** min(count - 1, 10)))
            self._waiting.release()

    def _note(self, client: str) -> int:
        now = self._clock()
        with self._lock:
            count, last = self._clients.pop(client, (0, now))
            count = 1 if now - last > FORGOTTEN_S else count + 1
            self._clients[client] = count, now
            if len(self._clients) > MOST_CLIENTS:
                self._clients.popitem(last=False)
        return count
