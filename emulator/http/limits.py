"""Rate limits: so many requests in a window of time, for each credential and endpoint."""

from __future__ import annotations

import threading
from typing import NamedTuple

WINDOW_SECONDS = 900


class Allowance(NamedTuple):
    """What is left of a window. reset is in whole seconds since 1970."""

    limit: int
    remaining: int
    reset: int
    exhausted: bool

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return X's three headers."""
        return rate_headers(self.limit, self.remaining, self.reset)


def rate_headers(limit: int, remaining: int, reset: int) -> tuple[tuple[str, str], ...]:
    """Return X's rate-limit headers."""
    return (
        ("x-rate-limit-limit", str(limit)),
        ("x-rate-limit-remaining", str(remaining)),
        ("x-rate-limit-reset", str(reset)),
    )


class RateLimits:
    """Counts requests. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, who: str, endpoint: str, *, limit: int, now_ms: int, seconds: int = WINDOW_SECONDS) -> Allowance:
        """Count a request and return what is left of a window of whole seconds; a refused one isn't counted."""
        now = now_ms // 1000
        with self._lock:
            opened, used = self._windows.get((who, endpoint), (now, 0))
            if not opened <= now < opened + seconds:
                opened, used = now, 0
            exhausted = used >= limit
            used += not exhausted
            self._windows[who, endpoint] = (opened, used)
        return Allowance(limit, limit - used, opened + seconds, exhausted)

    def reset(self) -> None:
        """Open every window anew."""
        with self._lock:
            self._windows.clear()
