"""X's API through Tweepy: access, one client a thread, and its searches of recent posts and of the full archive.

Tweepy has a fixed host, no time-outs, and an error layer that breaks on odd bodies. One adapter, mounted on its session, gives
it the host and the time-outs, limits what is read, and raises our own failures before Tweepy sees an answer.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import NewConnectionError

from collector.x.clock import XClock, date
from collector.x.documents import LARGEST_BODY, MOST_VALUES, NoDocument, document
from collector.x.failures import FIELDS as REFUSED_FIELDS
from collector.x.failures import (
    OK,
    REDIRECTS,
    SEARCH,
    SEARCH_ALL,
    TOKEN,
    TWEETS,
    USERS,
    FailureScope,
    XFailure,
    classify,
    moved,
    reset_time,
    unwell,
)
from collector.x.parsing import Object, excess, mapping, number, text
from text.secrets import Secrets

if TYPE_CHECKING:
    import tweepy

T = TypeVar("T")

TWEEPY_HOST = "https://api.twitter.com"
CountRequest = Callable[[str, str], None]
"""Counts a request to X by its endpoint and outcome, at once and from any thread."""

CONNECT_TIMEOUT_S = 3.05
BODY_TIMEOUTS = 2
ARCHIVE_EVERY_S = 1.05
LONGEST_TOKEN = 1000
RECENT, ALL, BY_ID = "/2/tweets/search/recent", "/2/tweets/search/all", "/2/tweets"
FIELDS: Mapping[str, str] = {
    "tweet_fields": "created_at,lang,author_id,public_metrics,geo,entities,note_tweet,edit_history_tweet_ids,"
    "attachments,referenced_tweets,in_reply_to_user_id",
    "expansions": "author_id,geo.place_id",
    "user_fields": "username,name,public_metrics,location,verified",
    "place_fields": "full_name,country,country_code,place_type",
}
POST_NAMES: Mapping[str, str] = {
    "edit_history_tweet_ids": "edit_history_post_ids",
    "note_tweet": "note_post",
    "referenced_tweets": "referenced_posts",
}
"""The names of X's OpenAPI document 2.167 for fields that are called otherwise there."""


class Vocabulary:
    """By which of its two lists X takes the fields of posts: `tweet.fields`, or `post.fields` with other names.

    Shared by all clients of a process; setting it is atomic.
    """

    def __init__(self) -> None:
        self.is_of_posts = False

    def parameters(self, *, is_of_posts: bool, authors: bool) -> dict[str, str]:
        """Return FIELDS as parameters of a search, with or without the expansion of authors."""
        named = {name.replace("_", "."): value for name, value in FIELDS.items() if name != "tweet_fields"}
        if not authors:
            named["expansions"] = "geo.place_id"
        return self.fields_of_posts(is_of_posts=is_of_posts) | named

    def fields_of_posts(self, *, is_of_posts: bool) -> dict[str, str]:
        """Return the fields of posts as the parameter of a request."""
        fields = FIELDS["tweet_fields"]
        if not is_of_posts:
            return {"tweet.fields": fields}
        return {"post.fields": ",".join(POST_NAMES.get(field, field) for field in fields.split(","))}


class SearchAnswer(NamedTuple):
    """A page as X gave it, the Date (UTC) of X's answer, and the earliest time by X's clock at which it was requested.

    `remaining` is how many requests X's rate limit leaves, or None if X did not say.
    """

    body: Object
    observed: datetime
    requested: datetime
    remaining: int | None


class UsersAnswer(NamedTuple):
    """Users as X gave them, the Date (UTC) of X's answer, and how many requests X's rate limit leaves, None if unsaid."""

    body: Object
    observed: datetime
    remaining: int | None


class TweetsAnswer(NamedTuple):
    """Posts by their ids as X gave them, and the Date (UTC) of X's answer.

    `remaining` is how many requests X's rate limit leaves until its `reset` (UTC); both are None if X did not say.
    """

    body: Object
    observed: datetime
    remaining: int | None
    reset: datetime | None


class Search(NamedTuple):
    """A request for a page: up to `max_results` posts with ids between `since_id` and `until_id`, both exclusive.

    With `archive` the full archive is searched, which needs a Bearer token and takes one request a second. Without `authors`
    the posts come without their authors.
    """

    query: str
    max_results: int
    since_id: int | None = None
    until_id: int | None = None
    next_token: str | None = None
    archive: bool = False
    authors: bool = True

    @property
    def endpoint(self) -> str:
        """The endpoint as metrics name it."""
        return SEARCH_ALL if self.archive else SEARCH

    def __str__(self) -> str:
        """Return the parameters as text, without the number of posts."""
        rest = "" if self.authors else " without authors"
        return f"{self.query} after {self.since_id} before {self.until_id} at {self.next_token}{rest}"

    def parameters(self) -> dict[str, Any]:
        """Return the parameters beside the query and the fields."""
        names = ("max_results", "since_id", "until_id", "next_token")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class X:
    """Searches of X. Safe to share between threads."""

    def __init__(
        self,
        access: Access,
        clock: XClock | None = None,
        count: CountRequest | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self.clock = clock or XClock()
        self.longest = access.longest
        self._vocabulary = vocabulary or Vocabulary()
        self._user_auth = access.bearer_token is None
        self._clients = Clients(access, self.clock, count)

    def search(self, search: Search, before_sending: Callable[[], None] = lambda: None) -> SearchAnswer:
        """Return one page, newest first; raises XFailure, and what `before_sending` raises right before the request is sent.

        The Date of every answer sets the clock. Where X refuses the list of a post's fields, the other one is tried once. A
        failure is counted here, a page by the transaction that stores it.
        """
        return self._in_either_vocabulary(lambda is_of_posts: self._search(search, before_sending, is_of_posts=is_of_posts))

    def tweets(self, ids: Sequence[int], before_sending: Callable[[], None] = lambda: None) -> TweetsAnswer:
        """Return the posts with these ids, at most 100, without what they refer to; raises as `search`."""
        return self._in_either_vocabulary(lambda is_of_posts: self._tweets(ids, before_sending, is_of_posts=is_of_posts))

    def _in_either_vocabulary(self, request: Callable[[bool], T]) -> T:
        """Return the answer to a request by the list of fields that X takes; where it refuses one, the other is tried."""
        is_of_posts = self._vocabulary.is_of_posts
        try:
            return request(is_of_posts)
        except XFailure as failure:
            if failure.kind != REFUSED_FIELDS:
                raise
        answer = request(not is_of_posts)
        self._vocabulary.is_of_posts = not is_of_posts
        return answer

    def _tweets(self, ids: Sequence[int], before_sending: Callable[[], None], *, is_of_posts: bool) -> TweetsAnswer:
        client, fields = self._clients.mine(), self._vocabulary.fields_of_posts(is_of_posts=is_of_posts)
        parameters = {"ids": ",".join(map(str, ids)), **fields}
        with self._clients.count_failures(TWEETS), self._clients.before_sending(before_sending):
            return _tweets(client.request("GET", BY_ID, params=parameters, user_auth=self._user_auth))

    def _search(self, search: Search, before_sending: Callable[[], None], *, is_of_posts: bool) -> SearchAnswer:
        fields = self._vocabulary.parameters(is_of_posts=is_of_posts, authors=search.authors)
        parameters = {"query": search.query, **search.parameters(), **fields}
        client = self._clients.app_only() if search.archive else self._clients.mine()
        with self._clients.count_failures(search.endpoint), self._clients.before_sending(before_sending):
            if search.archive:
                ARCHIVE_PACE.wait()
            started = time.monotonic()
            path, user_auth = (ALL, False) if search.archive else (RECENT, self._user_auth)
            response = client.request("GET", path, params=parameters, user_auth=user_auth)
            return _answer(response, timedelta(seconds=time.monotonic() - started))

    def users(self, ids: Sequence[int], before_sending: Callable[[], None] = lambda: None) -> UsersAnswer:
        """Return the users with these ids, at most 100; raises as `search`."""
        client, fields = self._clients.mine(), FIELDS["user_fields"]
        with self._clients.count_failures(USERS), self._clients.before_sending(before_sending):
            response = client.get_users(ids=[*ids], user_auth=self._user_auth, user_fields=fields)
            return _users(response)

    def close(self) -> None:
        """Close all connections."""
        self._clients.close()


class Access(NamedTuple):
    """X's URL and credentials, of which the Bearer token is preferred. `timeout` is in seconds without a byte."""

    url: str = TWEEPY_HOST
    bearer_token: str | None = None
    consumer_key: str | None = None
    consumer_secret: str | None = None
    access_token: str | None = None
    access_token_secret: str | None = None
    timeout: float = 31.0

    @property
    def longest(self) -> timedelta:
        """How long a request may take from its start to the end of its answer, and a little more."""
        return timedelta(seconds=CONNECT_TIMEOUT_S + self.timeout * (1 + BODY_TIMEOUTS) + 5)


class Clients:
    """Tweepy's clients of one access, one a thread, because a requests.Session is not thread-safe."""

    def __init__(self, access: Access, clock: XClock, count: CountRequest | None = None) -> None:
        self.access, self.clock, self._count = access, clock, count or (lambda _endpoint, _outcome: None)
        self._threads = threading.local()
        self._sessions: list[requests.Session] = []
        self._bearer, self._requesting = access.bearer_token, threading.Lock()

    def mine(self) -> tweepy.Client:
        """Return this thread's client, with all credentials that are set."""
        if not hasattr(self._threads, "client"):
            import tweepy  # late, so that the service starts faster

            client = tweepy.Client(*self.access[1:6], return_type=requests.Response)
            client.session.mount(TWEEPY_HOST, XAdapter(self))
            self._sessions.append(client.session)
            self._threads.client = client
        return self._threads.client

    @contextmanager
    def count_failures(self, endpoint: str) -> Iterator[None]:
        """Raise the failures of a request to an endpoint as XFailure, and count them."""
        try:
            with translate_failures():
                yield
        except XFailure as failure:
            counted = failure.of(endpoint)
            self._count(endpoint, counted.kind)
            raise counted from failure.__cause__

    @contextmanager
    def count_request(self, endpoint: str) -> Iterator[None]:
        """Count a request to an endpoint, whether it fails or not; its failures are raised as XFailure."""
        with self.count_failures(endpoint):
            yield
        self._count(endpoint, OK)

    @contextmanager
    def before_sending(self, check: Callable[[], None]) -> Iterator[None]:
        """Call `check` right before each request that this thread sends in the block; if it raises, nothing is sent."""
        self._threads.check = check
        try:
            yield
        finally:
            del self._threads.check

    def check(self) -> None:
        """Call what `before_sending` set for this thread."""
        if check := getattr(self._threads, "check", None):
            check()

    def app_only(self) -> tweepy.Client:
        """Return this thread's client with a Bearer token, requesting one if none is set; raises XFailure."""
        client = self.mine()
        with self._requesting:
            self._bearer = self._bearer or self._request_token(client.session)
        client.bearer_token = self._bearer
        return client

    def hide(self, text: str) -> str:
        """Hide the credentials in a text."""
        return Secrets([*self.access[1:6], self._bearer]).hide(text)

    def close(self) -> None:
        """Close all connections."""
        for session in self._sessions:
            session.close()

    def _request_token(self, session: requests.Session) -> str:
        """Return an app's token for the consumer key and secret (RFC 6749, 4.4)."""
        pair = (self.access.consumer_key or "", self.access.consumer_secret or "")
        try:
            with self.count_request(TOKEN):
                answer = session.post(f"{TWEEPY_HOST}/oauth2/token", data={"grant_type": "client_credentials"}, auth=pair)
                token = text(body_of(answer).get("access_token"))
                if token is None:
                    raise unwell("an answer without access_token")
        except XFailure as failure:
            if failure.kind != "refused":
                raise
            check = "check TWITTER_BEARER_TOKEN, or TWITTER_CONSUMER_KEY and _CONSUMER_SECRET"
            message = f"X gives no Bearer token for the app: {check}"
            raise XFailure("unauthorized", FailureScope.RUN, message).of(TOKEN) from failure
        return token


class Pace:
    """Limits requests of all threads to the full archive to one a second, X's limit."""

    def __init__(self) -> None:
        self._lock, self._free = threading.Lock(), 0.0

    def wait(self) -> None:
        """Wait until the next request may be sent."""
        with self._lock:
            time.sleep(max(0.0, self._free - time.monotonic()))
            self._free = time.monotonic() + ARCHIVE_EVERY_S


ARCHIVE_PACE = Pace()  # X limits the app, not the thread


class XAdapter(HTTPAdapter):
    """Sends Tweepy's requests to the access's URL (the OAuth signature stays that of the original) and limits what is read."""

    def __init__(self, clients: Clients) -> None:
        super().__init__()
        self._clients, self._access = clients, clients.access

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kw: Any) -> requests.Response:
        """Return an answer with status 200 and its body; raises XFailure or a requests exception for any other."""
        request.url = self._access.url + (request.url or "").removeprefix(TWEEPY_HOST)
        timeout, proxies = (CONNECT_TIMEOUT_S, self._access.timeout), _proxies(request.url)
        self._clients.check()
        response = super().send(request, stream=True, timeout=timeout, proxies=proxies)
        if said := date(response.headers.get("Date")):
            self._clients.clock.set_by_answer(said)
        try:
            body = _read_body(response, seconds=BODY_TIMEOUTS * self._access.timeout)
        finally:
            response.close()
        if response.status_code != 200:
            hide = self._clients.hide  # an answer may quote our credentials
            if response.status_code in REDIRECTS:
                raise moved(response.status_code, hide(response.headers.get("Location", "")), self._access.url)
            raise classify(response.status_code, response.headers, hide(body.decode("utf-8", "replace")).encode())
        return _reread(response, body)


def _proxies(url: str) -> dict[str, str]:
    """Return the environment's proxies; none for this machine, where the emulator is, which no proxy reaches."""
    return {} if urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1") else get_environ_proxies(url)


def _answer(response: requests.Response, elapsed: timedelta) -> SearchAnswer:
    body = body_of(response)
    is_paid = bool(body.get("data") or body.get("includes"))  # X charges only for answers that return data
    if not ("data" in body or "meta" in body):
        raise unwell("an answer without data and meta", sold=is_paid)
    if "data" not in body and number(mapping(body.get("meta")).get("result_count")):
        raise unwell("an answer that counts posts and has none", sold=True)
    if len(text(mapping(body.get("meta")).get("next_token")) or "") > LONGEST_TOKEN:
        raise unwell("an answer with an odd next_token", sold=True)
    if too_many := excess(body):
        raise unwell(f"an answer with {too_many}", sold=True)
    when = answer_date(response)
    return SearchAnswer(body, when, when - elapsed, number(response.headers.get("x-rate-limit-remaining")))


def _users(response: requests.Response) -> UsersAnswer:
    body = body_of(response)
    if not ("data" in body or "errors" in body):
        raise unwell("an answer without data and errors", sold=True)
    if too_many := excess({"includes": {"users": body.get("data")}}):
        raise unwell(f"an answer with {too_many}", sold=True)
    return UsersAnswer(body, answer_date(response), number(response.headers.get("x-rate-limit-remaining")))


def _tweets(response: requests.Response) -> TweetsAnswer:
    body = body_of(response)
    if not ("data" in body or "errors" in body):
        raise unwell("an answer without data and errors", sold=True)
    if too_many := excess(body):
        raise unwell(f"an answer with {too_many}", sold=True)
    remaining = number(response.headers.get("x-rate-limit-remaining"))
    return TweetsAnswer(body, answer_date(response), remaining, reset_time(response.headers))


def body_of(response: requests.Response) -> Object:
    """Return the JSON object that X answered; raises XFailure for anything else. X may have charged for it."""
    try:
        body = document(response.content, most=MOST_VALUES)
    except NoDocument as error:
        raise unwell(f"an answer that can't be read: {error}", sold=True) from error
    if not isinstance(body, dict):
        raise unwell("an answer that is no object", sold=True)
    return mapping(body)


def answer_date(response: requests.Response) -> datetime:
    """Return the Date (UTC) of an answer, or this machine's time if it has none that can be read."""
    return date(response.headers.get("Date")) or datetime.now(UTC)


@contextmanager
def translate_failures() -> Iterator[None]:
    """Raise XFailure where there is no connection or no whole answer."""
    try:
        yield
    except requests.RequestException as error:
        raise unwell(_in_words(error), sold=not _was_never_sent(error)) from error


def _reread(response: requests.Response, body: bytes) -> requests.Response:
    """Return the answer with its body to be read again, because a streamed response can be read only once."""
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
