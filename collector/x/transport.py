"""The way to X: Tweepy's Client with a host, time-outs and bounds, and the Bearer token that only an app has.

Tweepy has a fixed host, no time-outs, and an error layer that breaks on odd bodies. One adapter, mounted on its session,
gives it the host and the time-outs, bounds what is read, and raises our own failures before Tweepy sees an answer.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import NewConnectionError

from collector.x.clock import XClock, date
from collector.x.documents import LARGEST_BODY, MOST_VALUES, NoDocument, document
from collector.x.failures import Scope, XFailure, classify, unwell
from collector.x.parsing import Object, mapping, text
from text.secrets import Secrets

if TYPE_CHECKING:
    import tweepy

TWEEPY_HOST = "https://api.twitter.com"
CONNECT_TIMEOUT_S = 3.05
BODY_TIMEOUTS = 2
ARCHIVE_EVERY_S = 1.05


class Access(NamedTuple):
    """Where X is and with what to ask it; the Bearer token is preferred. `timeout` is in seconds of silence."""

    url: str = TWEEPY_HOST
    bearer_token: str | None = None
    consumer_key: str | None = None
    consumer_secret: str | None = None
    access_token: str | None = None
    access_token_secret: str | None = None
    timeout: float = 31.0

    @property
    def longest(self) -> timedelta:
        """How long a request may take from its beginning to its answer's end, and a little more."""
        return timedelta(seconds=CONNECT_TIMEOUT_S + self.timeout * (1 + BODY_TIMEOUTS) + 5)


class Clients:
    """Tweepy's clients of one access, one a thread, as a requests.Session is not thread-safe."""

    def __init__(self, access: Access, clock: XClock) -> None:
        self._access, self._clock = access, clock
        self._threads = threading.local()
        self._sessions: list[requests.Session] = []
        self._bearer, self._minting = access.bearer_token, threading.Lock()

    def mine(self) -> tweepy.Client:
        """Return this thread's client, with the credentials that there are."""
        if not hasattr(self._threads, "client"):
            import tweepy  # late, for a service that starts need not wait for it

            client = tweepy.Client(*self._access[1:6], return_type=requests.Response)
            client.session.mount(TWEEPY_HOST, XAdapter(self._access, self._clock, self._hide, self._look))
            self._sessions.append(client.session)
            self._threads.client = client
        return self._threads.client

    @contextmanager
    def before_sending(self, look: Callable[[], None]) -> Iterator[None]:
        """Call `look` right before each request that this thread sends while the block runs; what it raises keeps it unsent."""
        self._threads.look = look
        try:
            yield
        finally:
            self._threads.look = _nothing

    def _look(self) -> None:
        getattr(self._threads, "look", _nothing)()

    def app_only(self) -> tweepy.Client:
        """Return this thread's client with a Bearer token, which is minted where there is none; raises XFailure."""
        client = self.mine()
        with self._minting:
            self._bearer = self._bearer or self._request_token(client.session)
        client.bearer_token = self._bearer
        return client

    def _hide(self, text: str) -> str:
        return Secrets([*self._access[1:6], self._bearer]).hide(text)

    def close(self) -> None:
        """Close all connections."""
        for session in self._sessions:
            session.close()

    def _request_token(self, session: requests.Session) -> str:
        """Return an app's token for the consumer key and secret (RFC 6749, 4.4)."""
        pair = (self._access.consumer_key or "", self._access.consumer_secret or "")
        try:
            with translate_failures():
                answer = session.post(f"{TWEEPY_HOST}/oauth2/token", data={"grant_type": "client_credentials"}, auth=pair)
        except XFailure as failure:
            if failure.reach is not Scope.TAG:
                raise
            check = "check TWITTER_BEARER_TOKEN, or TWITTER_CONSUMER_KEY and _CONSUMER_SECRET"
            raise XFailure("unauthorized", Scope.RUN, f"X gives no Bearer token for the app: {check}") from failure
        token = text(body_of(answer).get("access_token"))
        if token is None:
            raise unwell("an answer without access_token")
        return token


class Pace:
    """One request a second, as X's full archive takes them, whichever thread makes it."""

    def __init__(self) -> None:
        self._lock, self._free = threading.Lock(), 0.0

    def wait(self) -> None:
        """Wait for the next second."""
        with self._lock:
            time.sleep(max(0.0, self._free - time.monotonic()))
            self._free = time.monotonic() + ARCHIVE_EVERY_S


ARCHIVE_PACE = Pace()  # X counts the requests of an app, whoever makes them


class XAdapter(HTTPAdapter):
    """Sends Tweepy's requests to `url` (the OAuth signature stays that of the original) and reads within bounds."""

    def __init__(self, access: Access, clock: XClock, hide: Callable[[str], str], look: Callable[[], None]) -> None:
        super().__init__()
        self._url, self._timeout, self._clock = access.url, access.timeout, clock
        self._hide, self._look = hide, look

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kw: Any) -> requests.Response:
        """Return an answer with status 200, its body read; raises XFailure or a requests exception for any other."""
        request.url = self._url + (request.url or "").removeprefix(TWEEPY_HOST)
        timeout, proxies = (CONNECT_TIMEOUT_S, self._timeout), get_environ_proxies(request.url)
        self._look()
        response = super().send(request, stream=True, timeout=timeout, proxies=proxies)
        if said := date(response.headers.get("Date")):
            self._clock.tell(said)
        try:
            body = _read_body(response, seconds=BODY_TIMEOUTS * self._timeout)
        finally:
            response.close()
        if response.status_code != 200:
            shown = self._hide(body.decode("utf-8", "replace"))  # what it quotes of our request is no reason to be shown
            raise classify(response.status_code, response.headers, shown.encode())
        return _reread(response, body)


def body_of(response: requests.Response) -> Object:
    """Return the JSON object that X answered; raises XFailure for anything else. X may have charged for it."""
    try:
        body = document(response.content, most=MOST_VALUES)
    except NoDocument as error:
        raise unwell(f"an answer that can't be read: {error}", sold=True) from error
    if not isinstance(body, dict):
        raise unwell("an answer that is no object", sold=True)
    return mapping(body)


def answer_date(response: requests.Response, *, otherwise: Callable[[], datetime]) -> datetime:
    """Return the Date (UTC) of an answer."""
    return date(response.headers.get("Date")) or otherwise()


@contextmanager
def translate_failures() -> Iterator[None]:
    """Raise XFailure where there is no connection or no whole answer."""
    try:
        yield
    except requests.RequestException as error:
        raise unwell(_in_words(error), sold=not _was_never_sent(error)) from error


def _nothing() -> None:
    """Look at nothing."""


def _reread(response: requests.Response, body: bytes) -> requests.Response:
    """Return the answer with its body to be read once more: a response whose content was streamed gives it only once."""
    again = requests.Response()
    again.status_code, again.headers, again.url, again.request = 200, response.headers, response.url, response.request
    again.encoding, again.raw = "utf-8", io.BytesIO(body)
    return again


def _read_body(response: requests.Response, *, seconds: float) -> bytes:
    body, deadline = bytearray(), time.monotonic() + seconds
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > LARGEST_BODY:
            raise unwell(f"an answer of more than {LARGEST_BODY // 2**20} MB", sold=True)
        if time.monotonic() > deadline:
            raise unwell(f"an answer that takes longer than {seconds:g} s", sold=True)
    return bytes(body)


def _was_never_sent(error: requests.RequestException) -> bool:
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
