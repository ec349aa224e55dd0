"""A small client, and what requests of these tests have in common."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EPOCH_MS = 1288834974657
BEARER = {"Authorization": "Bearer anything"}
OAUTH1 = {
    "Authorization": 'OAuth oauth_consumer_key="k", oauth_token="t", oauth_signature="s", oauth_nonce="n", '
    'oauth_timestamp="1", oauth_signature_method="HMAC-SHA1", oauth_version="1.0"'
}
SEARCH, SEARCH_ALL = "/2/tweets/search/recent", "/2/tweets/search/all"
LOOKUP = "/2/tweets"
COUNTS, COUNTS_ALL = "/2/tweets/counts/recent", "/2/tweets/counts/all"
USAGE, CREDITS, JOBS = "/2/usage/tweets", "/2/usage/credits", "/2/compliance/jobs"
USUAL: dict[str, Any] = {
    "tweet.fields": "created_at,lang,author_id,public_metrics,geo,entities,note_tweet,edit_history_tweet_ids",
    "expansions": "author_id,geo.place_id",
    "user.fields": "username,name,public_metrics,location,verified",
    "place.fields": "full_name,country,country_code,place_type",
}
Json = dict[str, Any]


def snowflake(at: datetime) -> int:
    """Return the first id of an instant."""
    return (round(at.timestamp() * 1000) - EPOCH_MS) << 22


def made(post_id: int) -> datetime:
    """Return when an id was given out."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=(post_id >> 22) + EPOCH_MS)


class Reply(NamedTuple):
    """A response; body is parsed JSON, or the raw bytes of anything else."""

    status: int
    raw: bytes
    headers: dict[str, str]

    @property
    def body(self) -> Any:
        try:
            return json.loads(self.raw)
        except ValueError:
            return self.raw

    @property
    def ids(self) -> list[int]:
        """The ids of the page, in its order."""
        return [int(tweet["id"]) for tweet in self.body.get("data", [])]

    @property
    def refusal(self) -> tuple[int, str]:
        return self.status, self.body["title"]


class Client:
    """Speaks to one emulator, with a new connection for each request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def send(self, method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes | None = None) -> Reply:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})

    def get(self, path: str, *, headers: dict[str, str] = BEARER, **params: Any) -> Reply:
        return self.send("GET", f"{path}?{urlencode(params)}", headers=headers)

    def search(self, query: str, *, headers: dict[str, str] = BEARER, **params: Any) -> Reply:
        return self.get(SEARCH, headers=headers, **{"query": query, "max_results": 100, **params})

    def total(self, query: str, **params: Any) -> int:
        """Return how many posts a query has, as counts tell."""
        count: int = self.get(COUNTS, query=query, **params).body["meta"]["total_tweet_count"]
        return count

    def pages(self, query: str, **params: Any) -> list[Reply]:
        return self.listed(SEARCH, **{"query": query, "max_results": 100, **params})

    def listed(self, path: str, **params: Any) -> list[Reply]:
        """Every page of a listing."""
        pages = [self.get(path, **params)]
        while token := pages[-1].body["meta"].get("next_token"):
            pages.append(self.get(path, **{**params, "next_token": token}))
        return pages

    def every(self, query: str, **params: Any) -> list[Json]:
        return [tweet for page in self.pages(query, **{**USUAL, **params}) for tweet in page.body.get("data", [])]

    def control(self, method: str, path: str, body: object = None) -> Reply:
        sent = None if body is None else json.dumps(body).encode()
        return self.send(method, f"/emulator{path}", body=sent)

    def create(self, **order: Any) -> Json:
        """Make a compliance job and return it."""
        body = json.dumps({"type": "tweets", **order}).encode()
        job: Json = self.send("POST", JOBS, headers=BEARER, body=body).body["data"]
        return job

    def poll(self, job: Json) -> Json:
        """Return a job as it is now."""
        now: Json = self.get(f"{JOBS}/{job['id']}").body["data"]
        return now

    def upload(self, job: Json, *ids: object) -> Reply:
        """Put ids, one a line."""
        return self.send("PUT", self.target(job["upload_url"]), body="".join(f"{one}\n" for one in ids).encode())

    def fetch(self, job: Json) -> Reply:
        return self.send("GET", self.target(job["download_url"]))

    def download(self, job: Json) -> list[Json]:
        """Return the results of a job."""
        reply = self.fetch(job)
        assert reply.status == 200
        return [json.loads(line) for line in reply.raw.splitlines()]

    def target(self, url: str) -> str:
        """Return an address without its host, which must be the emulator's."""
        base = f"http://127.0.0.1:{self.port}"
        assert url.startswith(f"{base}/")
        return url.removeprefix(base)
