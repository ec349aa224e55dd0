"""X's searches: recent posts, and the full archive."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import requests

from collector.x.clock import XClock
from collector.x.failures import unwell
from collector.x.parsing import Object, excess, mapping, number, text
from collector.x.transport import ARCHIVE_PACE, Access, Clients, answer_date, body_of, translate_failures

FIELDS: Mapping[str, str] = {
    "tweet_fields": "created_at,lang,author_id,public_metrics,geo,entities,note_tweet,edit_history_tweet_ids,"
    "attachments,referenced_tweets,in_reply_to_user_id",
    "expansions": "author_id,geo.place_id",
    "user_fields": "username,name,public_metrics,location,verified",
    "place_fields": "full_name,country,country_code,place_type",
}


LONGEST_TOKEN = 1000


class RateLimit(NamedTuple):
    """What X says of its limit; None where it said nothing."""

    limit: int | None
    remaining: int | None


class SearchAnswer(NamedTuple):
    """A page as X gave it, the Date (UTC) of X's answer, and the earliest time of X's at which it can have been asked."""

    body: Object
    observed: datetime
    requested: datetime
    rate_limit: RateLimit


class Search(NamedTuple):
    """A page that is asked for: up to `max_results` posts with ids between `since_id` and `until_id`, both exclusive.

    `archive` says that they are asked of the full archive, which needs a Bearer token and takes one request a second.
    """

    query: str
    max_results: int
    since_id: int | None = None
    until_id: int | None = None
    next_token: str | None = None
    archive: bool = False

    def __str__(self) -> str:
        """Return what is asked for, but for the number."""
        return f"{self.query} after {self.since_id} before {self.until_id} at {self.next_token}"

    def parameters(self) -> dict[str, Any]:
        """Return what X is sent beside the query and the fields."""
        names = ("max_results", "since_id", "until_id", "next_token")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class X:
    """Searches of X. Safe to share between threads."""

    def __init__(self, access: Access, clock: XClock | None = None) -> None:
        self.clock = clock or XClock()
        self.longest = access.longest
        self._user_auth = access.bearer_token is None
        self._clients = Clients(access, self.clock)

    def search(self, asked: Search, look: Callable[[], None] = lambda: None) -> SearchAnswer:
        """Return one page, newest first; raises XFailure, and what `look` raises right before the request is sent.

        Whatever X answers tells its time.
        """
        ask = self._search_all if asked.archive else self._search_recent
        with translate_failures(), self._clients.before_sending(look):
            started = time.monotonic()
            response = ask(asked)
        return _answer(response, timedelta(seconds=time.monotonic() - started))

    def close(self) -> None:
        """Close all connections."""
        self._clients.close()

    def _search_recent(self, asked: Search) -> requests.Response:
        client = self._clients.mine()
        response: requests.Response = client.search_recent_tweets(
            asked.query, user_auth=self._user_auth, **FIELDS, **asked.parameters()
        )
        return response

    def _search_all(self, asked: Search) -> requests.Response:
        client = self._clients.app_only()
        ARCHIVE_PACE.wait()
        response: requests.Response = client.search_all_tweets(asked.query, **FIELDS, **asked.parameters())
        return response


def _answer(response: requests.Response, elapsed: timedelta) -> SearchAnswer:
    body = body_of(response)
    if not ("data" in body or "meta" in body):
        raise unwell("an answer without data and meta", sold=True)
    if "data" not in body and number(mapping(body.get("meta")).get("result_count")):
        raise unwell("an answer that counts posts and has none", sold=True)
    if len(text(mapping(body.get("meta")).get("next_token")) or "") > LONGEST_TOKEN:
        raise unwell("an answer with an odd next_token", sold=True)
    if too_many := excess(body):
        raise unwell(f"an answer with {too_many}", sold=True)
    headers = response.headers
    limit = RateLimit(number(headers.get("x-rate-limit-limit")), number(headers.get("x-rate-limit-remaining")))
    when = answer_date(response, otherwise=lambda: datetime.now(UTC))
    return SearchAnswer(body, when, when - elapsed, limit)
