"""X's failures, and which requests are tried again.

Failures are classified by the body of the answer and not by the status alone. Source: X's documentation of errors ("Response
codes and errors"), whose problem types may begin with either host.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from collector.x.clock import XClock
from collector.x.documents import MOST_VALUES, NoDocument, document
from collector.x.parsing import Object, items, mapping, moment, text
from settings import Settings

T = TypeVar("T")

CREDENTIALS = "TWITTER_BEARER_TOKEN, or TWITTER_CONSUMER_KEY, _CONSUMER_SECRET, _ACCESS_TOKEN and _ACCESS_TOKEN_SECRET"

LONGEST_SHOWN = 3000
LONGEST_BACKOFF_S = 30
OK = "ok"
FIELDS = "fields"
BLOCKING = ("credits", "spend-cap", "usage-cap")
KINDS = (OK, "rate-limit", "unwell", "refused", "stale", FIELDS, "unauthorized", "not-enrolled", *BLOCKING)
FIELD_LISTS = ("tweet.fields", "post.fields")
NAMES_FIELD_LIST = re.compile(r"[`\[](?:tweet|post)\.fields[`\]]")


class FailureScope(Enum):
    """What a failure affects: the request may be retried, the tag fails, or the whole run must stop."""

    REQUEST = "request"
    TAG = "tag"
    RUN = "run"


class XFailure(Exception):
    """X refused a request or gave no usable answer. `kind` is a word for metrics; `until` (UTC) is when to retry, if X said so.

    `sold` tells whether X may have charged for it: a failed call is free, an answer that was lost on its way is not.
    """

    def __init__(
        self, kind: str, reach: FailureScope, message: str, *, until: datetime | None = None, sold: bool = False
    ) -> None:
        super().__init__(message)
        self.kind, self.reach, self.until, self.sold = kind, reach, until, sold

    def for_good(self) -> XFailure:
        """Return the same failure with a scope that excludes retries."""
        reach = FailureScope.TAG if self.reach is FailureScope.REQUEST else self.reach
        return XFailure(self.kind, reach, str(self), until=self.until, sold=self.sold)


def unwell(what: str, *, sold: bool = False) -> XFailure:
    """Return the failure of an X that could not be reached or did not answer properly."""
    return XFailure("unwell", FailureScope.REQUEST, f"X is unwell: {what}", sold=sold)


def classify(status: int, headers: Mapping[str, str], body: bytes) -> XFailure:
    """Return the failure for an answer whose status isn't 200."""
    problem = _problem(body)
    title, kind = text(problem.get("title")) or "", (text(problem.get("type")) or "").rsplit("/", 1)[-1]
    if title == "SpendCapReached" or "reset_date" in problem:
        until = moment(problem.get("reset_date"))
        return XFailure(
            "spend-cap", FailureScope.RUN, f"billing blocked until {_day(until)}: X's spending cap is reached", until=until
        )
    if status == 402 or title == "CreditsDepleted" or kind == "credits":
        return XFailure("credits", FailureScope.RUN, "billing blocked until credits are bought: no credits are left at X")
    if title == "UsageCapExceeded" or kind == "usage-capped":
        period = "day" if "da" in _plain(problem.get("period")).lower() else "month"
        return XFailure(
            "usage-cap", FailureScope.RUN, f"billing blocked until X's next billing {period}: the cap of posts is reached"
        )
    if kind == "client-forbidden" or problem.get("reason") == "client-not-enrolled":
        message = "X refuses the app: attach it to a project in X's developer portal and make new keys"
        return XFailure("not-enrolled", FailureScope.RUN, message)
    if status == 429:
        return XFailure("rate-limit", FailureScope.REQUEST, "X's rate limit is reached", until=_reset(headers))
    if status == 401:
        return XFailure("unauthorized", FailureScope.RUN, f"X refuses the credentials: check {CREDENTIALS}")
    if status >= 500:
        return unwell(f"status {status}")
    detail = "; ".join(filter(None, (_plain(mapping(e).get("message")) for e in items(problem.get("errors"))[:10])))
    detail = detail or _plain(problem.get("detail")) or _plain(title)
    if status == 400 and any(_names_field_list(mapping(e)) for e in items(problem.get("errors"))[:10]):
        return XFailure(FIELDS, FailureScope.RUN, f"X refuses the fields of posts (status 400): {detail}")
    stale = "'since_id' must be a tweet id created after" in detail
    return XFailure(
        "stale" if stale else "refused",
        FailureScope.TAG,
        f"X refuses the request (status {status}): {detail or 'no reason given'}",
    )


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


def _problem(body: bytes) -> Object:
    try:
        return mapping(document(body, most=MOST_VALUES))
    except NoDocument:
        return {}


def _names_field_list(error: Object) -> bool:
    """Tell whether an error of a 400 is about the list of a post's fields."""
    parameters = mapping(error.get("parameters"))
    if parameters:
        return any(name in parameters for name in FIELD_LISTS)
    return NAMES_FIELD_LIST.search(_plain(error.get("message"))) is not None


def _plain(value: object) -> str:
    """Return X's text on one line of at most 300 characters, without invisible and direction-changing characters."""
    words = (text(value) or "")[:LONGEST_SHOWN]
    return " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())[:300]


def _reset(headers: Mapping[str, str]) -> datetime | None:
    text = headers.get("x-rate-limit-reset", "")
    return datetime.fromtimestamp(int(text), UTC) if re.fullmatch(r"\d{1,11}", text, re.ASCII) else None


def _day(until: datetime | None) -> str:
    return until.strftime("%Y-%m-%d") if until else "a day that X did not name"
