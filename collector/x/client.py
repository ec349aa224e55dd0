"""X's recent search through Tweepy's Client.

Tweepy has a fixed host, no time-outs, and an error layer that breaks on odd bodies. One adapter, mounted on its session,
gives it the host and the time-outs, bounds what is read, and raises our own failures before Tweepy sees an answer.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson
import requests
import tweepy
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import NewConnectionError

from collector.x.clock import XClock
from collector.x.failures import XFailure, classify, unwell
from collector.x.parsing import Object, mapping, number

TWEEPY_HOST = "https://api.twitter.com"
CONNECT_TIMEOUT_S = 3.05
BODY_TIMEOUTS = 2
LARGEST_BODY = 16 * 1024 * 1024
FIELDS: Mapping[str, str] = {
    "tweet_fields": "created_at,lang,author_id,public_metrics,geo,entities,note_tweet,edit_history_tweet_ids",
    "expansions": "author_id,geo.place_id",
    "user_fields": "username,name,public_metrics,location,verified",
    "place_fields": "full_name,country,country_code,place_type",
}


class Access(NamedTuple):
    """Where X is and with what to ask it; the Bearer token is preferred. `timeout` is in seconds of silence."""

    url: str = TWEEPY_HOST
    bearer_token: str | None = None
    consumer_key: str | None = None
    consumer_secret: str | None = None
    access_token: str | None = None
    access_token_secret: str | None = None
    timeout: float = 31.0


class RateLimit(NamedTuple):
    """What X says of its limit; None where it said nothing."""

    limit: int | None
    remaining: int | None


class Answer(NamedTuple):
    """A page as X gave it, the Date (UTC) of X's answer, and the earliest time of X's at which it can have been asked."""

    body: Object
    observed: datetime
    asked: datetime
    rate_limit: RateLimit


class Search(NamedTuple):
    """A page that is asked for: up to `max_results` posts with ids between `since_id` and `until_id`, both exclusive."""

    query: str
    max_results: int
    since_id: int | None = None
    until_id: int | None = None
    next_token: str | None = None

    def __str__(self) -> str:
        """Return what is asked for, but for the number."""
        return f"{self.query} after {self.since_id} before {self.until_id} at {self.next_token}"

    def parameters(self) -> dict[str, Any]:
        """Return what X is sent beside the query and the fields."""
        return {name: value for name, value in self._asdict().items() if value is not None and name != "query"}


class X:
    """Searches of X. Safe to share: each thread gets a client of its own, as a requests.Session is not thread-safe."""

    def __init__(self, access: Access, clock: XClock | None = None) -> None:
        self._access = access
        self.clock = clock or XClock()
        self._threads = threading.local()
        self._sessions: list[requests.Session] = []

    @property
    def longest(self) -> timedelta:
        """How long a request may take from its beginning to its answer's end, and a little more."""
        return timedelta(seconds=CONNECT_TIMEOUT_S + self._access.timeout * (1 + BODY_TIMEOUTS) + 5)

    def search(self, asked: Search) -> Answer:
        """Return one page, newest first; raises XFailure. Whatever X answers tells its time."""
        user_auth = self._access.bearer_token is None
        started = time.monotonic()
        try:
            response = self._client().search_recent_tweets(asked.query, user_auth=user_auth, **FIELDS, **asked.parameters())
        except requests.RequestException as error:
            raise unwell(_in_words(error), sold=not _never_sent(error)) from error
        return _answer(response, timedelta(seconds=time.monotonic() - started))

    def close(self) -> None:
        """Close all connections."""
        for session in self._sessions:
            session.close()

    def _client(self) -> tweepy.Client:
        if not hasattr(self._threads, "client"):
            client = tweepy.Client(*self._access[1:6], return_type=requests.Response)
            client.session.mount(TWEEPY_HOST, XAdapter(self._access.url, self._access.timeout, self.clock))
            self._sessions.append(client.session)
            self._threads.client = client
        return self._threads.client


class XAdapter(HTTPAdapter):
    """Sends Tweepy's requests to `url` (the OAuth signature stays that of the original) and reads within bounds."""

    def __init__(self, url: str, timeout: float, clock: XClock) -> None:
        super().__init__()
        self._url, self._timeout, self._clock = url, timeout, clock

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kw: Any) -> requests.Response:
        """Return an answer with status 200, its body read; raises XFailure or a requests exception for any other."""
        request.url = self._url + (request.url or "").removeprefix(TWEEPY_HOST)
        timeout = (CONNECT_TIMEOUT_S, self._timeout)
        response = super().send(request, stream=True, timeout=timeout, proxies=get_environ_proxies(request.url))
        if date := _date(response.headers.get("Date")):
            self._clock.tell(date)
        try:
            body = _read(response, seconds=BODY_TIMEOUTS * self._timeout)
        finally:
            response.close()
        if response.status_code != 200:
            raise classify(response.status_code, response.headers, body)
        return _reread(response, body)


def _reread(response: requests.Response, body: bytes) -> requests.Response:
    """Return the answer with its body to be read once more: a response whose content was streamed gives it only once."""
    again = requests.Response()
    again.status_code, again.headers, again.url, again.request = 200, response.headers, response.url, response.request
    again.encoding, again.raw = "utf-8", io.BytesIO(body)
    return again


def _read(response: requests.Response, *, seconds: float) -> bytes:
    body, deadline = bytearray(), time.monotonic() + seconds
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > LARGEST_BODY:
            raise unwell(f"an answer of more than {LARGEST_BODY // 2**20} MB", sold=True)
        if time.monotonic() > deadline:
            raise unwell(f"an answer that takes longer than {seconds:g} s", sold=True)
    return bytes(body)


def _answer(response: requests.Response, elapsed: timedelta) -> Answer:
    try:
        body = _json(response.content)
    except (ValueError, RecursionError) as error:
        raise unwell("an answer that is no JSON", sold=True) from error
    if not isinstance(body, dict) or not ("data" in body or "meta" in body):
        raise unwell("an answer without data and meta", sold=True)
    if "data" not in body and number(mapping(body.get("meta")).get("result_count")):
        raise unwell("an answer that counts posts and has none", sold=True)
    headers = response.headers
    limit = RateLimit(number(headers.get("x-rate-limit-limit")), number(headers.get("x-rate-limit-remaining")))
    observed = _date(headers.get("Date")) or datetime.now(UTC)
    return Answer(mapping(body), observed, observed - elapsed, limit)


def _json(body: bytes) -> Any:
    """Read JSON; what orjson refuses and JSON allows, such as half a surrogate pair, is read the slow way."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def _date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header or "").astimezone(UTC)
    except ValueError:
        return None


def _never_sent(error: requests.RequestException) -> bool:
    """Tell whether no connection was made, so that X can't have sold anything."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)


def _in_words(error: requests.RequestException) -> str:
    words = {
        requests.ConnectTimeout: "no connection in time",
        requests.ReadTimeout: "no answer in time",
        requests.exceptions.ChunkedEncodingError: "an answer that was cut",
        requests.ConnectionError: "no connection",
    }
    return next((text for kind, text in words.items() if isinstance(error, kind)), type(error).__name__)


__all__ = ["Access", "Answer", "RateLimit", "Search", "X", "XFailure"]
