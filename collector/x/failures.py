"""X's failures, and which requests are tried again.

Failures are classified by the body of the answer and not by the status alone. Source: X's documentation of errors ("Response
codes and errors"), whose problem types may begin with either host.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from collector.x.clock import XClock, date
from collector.x.documents import MOST_VALUES, NoDocument, document
from collector.x.parsing import Object, items, mapping, moment, text
from queries.service import NOT_OFFERED_KIND as NOT_OFFERED
from settings import Settings

T = TypeVar("T")

CREDENTIALS = "TWITTER_BEARER_TOKEN, or TWITTER_CONSUMER_KEY, _CONSUMER_SECRET, _ACCESS_TOKEN and _ACCESS_TOKEN_SECRET"

LONGEST_SHOWN = 3000
LONGEST_BACKOFF_S = 30
OK = "ok"
FIELDS = "fields"
BLOCKING = ("credits", "spend-cap", "usage-cap")
RATE_LIMIT, DAILY_LIMIT = "rate-limit", "daily-limit"
LIMITS = (RATE_LIMIT, DAILY_LIMIT)
KINDS = (
    *(OK, *LIMITS, "unwell", "refused", "stale", FIELDS, "blocked"),
    *("unauthorized", "not-enrolled", "suspended", "moved", *BLOCKING, NOT_OFFERED),
)
"""The outcomes of a request, as metrics name them."""
ENDPOINTS = SEARCH, SEARCH_ALL, COUNTS, COUNTS_ALL, USAGE, CREDITS, COMPLIANCE, TOKEN, USERS, TWEETS = (
    *("search", "search_all", "counts", "counts_all", "usage", "credits", "compliance", "token", "users", "tweets"),
)
"""X's endpoints, as metrics name them."""
OPTIONAL: Mapping[str, tuple[str, tuple[str, ...]]] = {
    COMPLIANCE: ("X offers this account no compliance jobs", ("not-enrolled",)),
    CREDITS: ("X does not tell this account its balance", ("not-enrolled", "unauthorized", "refused")),
}
"""Endpoints that X does not offer every account: what to say then, and the kinds of failure that mean it."""
REDIRECTS = (301, 302, 303, 307, 308)
SUSPENDED_CODE = 416
PLAIN_HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.ASCII)
TIME, DAY_AND_TIME = "%H:%M:%S UTC", "%Y-%m-%d %H:%M UTC"
JUST_PASSED, ONE_DAY = timedelta(seconds=10), timedelta(days=1)
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
    `endpoint` is the one that failed, None for an answer that was found wanting later.
    """

    endpoint: str | None = None

    def __init__(
        self, kind: str, reach: FailureScope, message: str, *, until: datetime | None = None, sold: bool = False
    ) -> None:
        super().__init__(message)
        self.kind, self.reach, self.until, self.sold = kind, reach, until, sold

    def for_good(self) -> XFailure:
        """Return the same failure with a scope that excludes retries."""
        reach = FailureScope.TAG if self.reach is FailureScope.REQUEST else self.reach
        return XFailure(self.kind, reach, str(self), until=self.until, sold=self.sold).of(self.endpoint)

    def of(self, endpoint: str | None) -> XFailure:
        """Return the failure as that of an endpoint, which X may not offer this account."""
        meaning, kinds = OPTIONAL.get(endpoint or "", ("", ()))
        failure = XFailure(NOT_OFFERED, FailureScope.TAG, meaning) if self.kind in kinds else self
        failure.endpoint = endpoint
        return failure


def unwell(what: str, *, sold: bool = False) -> XFailure:
    """Return the failure of an X that could not be reached or did not answer properly."""
    return XFailure("unwell", FailureScope.REQUEST, f"X is unwell: {what}", sold=sold)


def classify(status: int, headers: Mapping[str, str], body: bytes) -> XFailure:
    """Return the failure for an answer whose status isn't 200."""
    problem = _problem(body)
    is_page_of_cloudflare = not problem and "cloudflare" in f"{headers.get('Server', '')}{body[:LONGEST_SHOWN]!r}".lower()
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
    if status == 403 and SUSPENDED_CODE in (mapping(error).get("code") for error in items(problem.get("errors"))[:10]):
        return XFailure("suspended", FailureScope.RUN, "X has suspended the app: X's developer portal says why")
    if status == 429:
        return _limit(headers, by_cloudflare=is_page_of_cloudflare)
    if status == 403 and is_page_of_cloudflare:
        message = f"Cloudflare, which protects X, blocks requests from this machine{_ray(headers)}"
        return XFailure("blocked", FailureScope.TAG, message)
    if status == 401:
        return XFailure("unauthorized", FailureScope.RUN, f"X refuses the credentials: check {CREDENTIALS}")
    if status >= 500:
        return unwell(f"status {status}")
    detail = "; ".join(filter(None, (_plain(mapping(e).get("message")) for e in items(problem.get("errors"))[:10])))
    detail = detail or _plain(problem.get("detail")) or _plain(title)
    if status == 400 and any(_names_field_list(mapping(e)) for e in items(problem.get("errors"))[:10]):
        return XFailure(FIELDS, FailureScope.RUN, f"X refuses the fields of posts (status 400): {detail}")
    stale = "since_id" in detail and ("larger than" in detail or "must be a tweet id created after" in detail)
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

    def wait_for_reset(self, until: datetime | None) -> None:
        """Let the next request wait for the reset of a rate limit that has no request left; raises XFailure as a 429 does."""
        self._pause(XFailure(RATE_LIMIT, FailureScope.REQUEST, "X's rate limit is reached", until=until))

    def _one(self, request: Callable[[], T]) -> T:
        self._sleep(self._paused_until - time.monotonic())
        try:
            return request()
        except XFailure as failure:
            self._on_failure(failure)
            if failure.kind in LIMITS:
                self._pause(failure)
            raise

    def _pause(self, failure: XFailure) -> None:
        """Make all tags wait for the reset, by X's clock.

        A reset beyond the longest wait fails the tag at once, and ends the run if it is that of the app's limit of 24 hours.
        """
        wait = self._policy.rate_limit_wait
        now, until = self._clock.now(), failure.until
        seconds = max((until - now).total_seconds(), 0) + 1 if until and until > now - JUST_PASSED else wait
        if seconds > wait or wait == 0:
            reach = FailureScope.RUN if failure.kind == DAILY_LIMIT else FailureScope.TAG
            ends = f" until {until:{TIME if until.date() == now.date() else DAY_AND_TIME}}" if until else ""
            latest = until and min(until, now + ONE_DAY)  # a later one would stop the schedule for long
            raise XFailure(failure.kind, reach, f"{failure}{ends}", until=latest).of(failure.endpoint) from failure
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def _wait(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        return 0.0 if isinstance(failure, XFailure) and failure.kind in LIMITS else self._backoff(state)

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


def moved(status: int, location: str, url: str) -> XFailure:
    """Return the failure of a redirect from `url`. It is never followed: credentials go to the URL that is set and no other."""
    origin = _origin(location)
    if origin is None or origin == _origin(url):
        message = f"X redirects requests (status {status}), which is not followed: this version may be too old for X"
    else:
        message = f"X has moved: set TWITTER_API_URL={origin}"
    return XFailure("moved", FailureScope.RUN, message)


def _origin(url: str) -> str | None:
    """Return scheme, host and port of an HTTPS URL, None for any other and for a host that is no plain name."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    if parts.scheme != "https" or "@" in parts.netloc or not PLAIN_HOST.fullmatch(host):
        return None
    return f"https://{host}" if port in (None, 443) else f"https://{host}:{port}"


def _limit(headers: Mapping[str, str], *, by_cloudflare: bool) -> XFailure:
    """Return the failure of a limit, with the latest reset of those that its headers name and that may be the reason."""
    window, retry_after = reset_time(headers), _retry_after(headers)
    daily = [
        reset_time(headers, f"x-{whose}-limit-24hour-reset")
        for whose in ("app", "user")
        if headers.get(f"x-{whose}-limit-24hour-remaining", "0") == "0"
    ]
    others = [reset for reset in (retry_after, *daily) if reset]
    if window and (not others or headers.get("x-rate-limit-remaining") == "0"):
        others.append(window)
    until = max(others, default=None)
    if any(daily):
        return XFailure(DAILY_LIMIT, FailureScope.REQUEST, "X's limit of requests in 24 hours is reached", until=until)
    who = "Cloudflare's rate limit, which protects X," if by_cloudflare else "X's rate limit"
    return XFailure(RATE_LIMIT, FailureScope.REQUEST, f"{who} is reached", until=until)


def reset_time(headers: Mapping[str, str], name: str = "x-rate-limit-reset") -> datetime | None:
    """Return the time (UTC) at which a limit is reset by a header of an answer, or None."""
    seconds = headers.get(name, "")
    return datetime.fromtimestamp(int(seconds), UTC) if re.fullmatch(r"\d{1,11}", seconds, re.ASCII) else None


def _retry_after(headers: Mapping[str, str]) -> datetime | None:
    """Return the end of Retry-After (RFC 9110, 10.2.3): a date, or seconds from the answer's Date on."""
    given = headers.get("Retry-After", "")
    if re.fullmatch(r"\d{1,7}", given, re.ASCII):
        return (date(headers.get("Date")) or datetime.now(UTC)) + timedelta(seconds=int(given))
    return date(given)


def _ray(headers: Mapping[str, str]) -> str:
    """Return the number by which Cloudflare finds a blocked request."""
    ray = headers.get("CF-RAY", "")
    return f" (Ray ID {ray})" if re.fullmatch(r"[0-9a-fA-F]{8,32}(-[A-Z]{3})?", ray, re.ASCII) else ""


def _day(until: datetime | None) -> str:
    return until.strftime("%Y-%m-%d") if until else "a day that X did not name"
