"""Retries of requests to X, with back-off, and one pause for all tags when X limits the rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from collector.x.clock import XClock
from collector.x.failures import FailureScope, XFailure
from settings import Settings

T = TypeVar("T")
LONGEST_BACKOFF_S = 30


class RetryPolicy(NamedTuple):
    """Number of retries, the first wait, and the longest wait for a rate limit, in seconds."""

    retries: int = 3
    first_wait: float = 1.0
    rate_limit_wait: float = 901.0

    @classmethod
    def of(cls, settings: Settings) -> RetryPolicy:
        wait, limit = settings.x_retry_wait, settings.x_rate_limit_wait
        return cls(settings.x_retries, wait.total_seconds(), limit.total_seconds())


class Stopped(Exception):
    """The run is being stopped; no more requests are sent."""


class Tries:
    """The requests of one run with their retries. `stop` ends every wait at once; each failed try calls `on_failure`."""

    def __init__(
        self, policy: RetryPolicy, stop: threading.Event, on_failure: Callable[[XFailure], None], clock: XClock
    ) -> None:
        self._policy, self._stop, self._on_failure, self._clock = policy, stop, on_failure, clock
        self._paused_until = 0.0
        first = policy.first_wait
        self._backoff = wait_exponential_jitter(multiplier=first, max=LONGEST_BACKOFF_S, jitter=first)

    def ask(self, request: Callable[[], T]) -> T:
        """Return the request's answer; raises XFailure if all tries fail, Stopped when the run ends."""
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, XFailure) and error.reach is FailureScope.REQUEST),
            stop=stop_after_attempt(1 + self._policy.retries),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        answer: T = retrying(self._one, request)
        return answer

    def _one(self, request: Callable[[], T]) -> T:
        self._sleep(self._paused_until - time.monotonic())
        try:
            return request()
        except XFailure as failure:
            self._on_failure(failure)
            if failure.kind == "rate-limit":
                self._pause(failure)
            raise

    def _pause(self, failure: XFailure) -> None:
        """Make all tags wait for the reset, by X's clock; a reset beyond the longest wait fails the tag at once."""
        wait = self._policy.rate_limit_wait
        now = self._clock.now()
        seconds = (failure.until - now).total_seconds() + 1 if failure.until and failure.until > now else wait
        if seconds > wait or wait == 0:
            until = failure.until.strftime(" until %H:%M:%S UTC") if failure.until else ""
            raise XFailure("rate-limit", FailureScope.TAG, f"X's rate limit is reached{until}") from failure
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def _wait(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        return 0.0 if isinstance(failure, XFailure) and failure.kind == "rate-limit" else self._backoff(state)

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(max(0.0, seconds)):
            raise Stopped
