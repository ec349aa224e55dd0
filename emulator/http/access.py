"""Credentials and rate limits. Only the presence of credentials is checked; none is kept or compared."""

from __future__ import annotations

import re
import threading
from hashlib import blake2b
from typing import NamedTuple

from emulator.http.messages import Call, Headers, Problem

WINDOW_SECONDS, DAY_SECONDS = 900, 86_400
_OAUTH1_PARTS = frozenset({"oauth_consumer_key", "oauth_token", "oauth_signature", "oauth_nonce", "oauth_timestamp"})
_PART = re.compile(r'(oauth_\w+)="([^"]+)"')


class Caller(NamedTuple):
    """id: a digest, by which rate limits are kept apart; bearer: an app's token, else a user's context."""

    id: str
    bearer: bool


def caller(call: Call) -> Caller:
    """Return the caller. Raises Problem 401."""
    scheme, _, rest = call.authorization.partition(" ")
    if scheme.casefold() == "bearer" and rest.strip():
        return Caller(digest(rest.strip()), True)
    parts = dict(_PART.findall(rest))
    if scheme.casefold() == "oauth" and parts.keys() >= _OAUTH1_PARTS:
        return Caller(digest(parts["oauth_token"]), False)
    raise Problem(401)


def digest(secret: str) -> str:
    """Return what stands for a secret in memory."""
    return blake2b(secret.encode(), digest_size=16).hexdigest()


class Allowance(NamedTuple):
    """What is left of a window. reset is in whole seconds since 1970. daily: the headers of the limit of 24 hours, if any."""

    limit: int
    remaining: int
    reset: int
    daily: Headers = ()

    def headers(self, prefix: str = "x-rate-limit") -> Headers:
        """Return X's rate-limit headers."""
        return (
            (f"{prefix}-limit", str(self.limit)),
            (f"{prefix}-remaining", str(self.remaining)),
            (f"{prefix}-reset", str(self.reset)),
            *self.daily,
        )


class LimitReached(Problem):
    """429 with the headers of a window that is used up."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__(429, headers=allowance.headers())
        self.allowance = allowance


class RateLimits:
    """Counts requests by caller and endpoint, in windows of time. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, caller_id: str, endpoint: str, *, limit: int, now_ms: int, seconds: int = WINDOW_SECONDS) -> Allowance:
        """Count a request and return what is left of its window. Raises LimitReached for one too many, which isn't counted."""
        now = now_ms // 1000
        with self._lock:
            opened, used = self._windows.get((caller_id, endpoint), (now, 0))
            if not opened <= now < opened + seconds:
                opened, used = now, 0
            if used >= limit:
                raise LimitReached(Allowance(limit, 0, opened + seconds))
            self._windows[caller_id, endpoint] = (opened, used + 1)
        return Allowance(limit, limit - used - 1, opened + seconds)

    def reset(self) -> None:
        """Begin every window anew."""
        with self._lock:
            self._windows.clear()
