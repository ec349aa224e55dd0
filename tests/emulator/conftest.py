"""A served emulator whose clock stands still, and a small client."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from emulator import Emulator

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BEARER = {"Authorization": "Bearer anything"}
OAUTH1 = {
    "Authorization": 'OAuth oauth_consumer_key="k", oauth_token="t", oauth_signature="s", oauth_nonce="n", '
    'oauth_timestamp="1", oauth_signature_method="HMAC-SHA1", oauth_version="1.0"'
}
SEARCH = "/2/tweets/search/recent"
COUNTS = "/2/tweets/counts/recent"
JOBS = "/2/compliance/jobs"
USUAL = {
    "tweet.fields": "created_at,lang,author_id,public_metrics,geo,entities,note_tweet,edit_history_tweet_ids",
    "expansions": "author_id,geo.place_id",
    "user.fields": "username,name,public_metrics,location,verified",
    "place.fields": "full_name,country,country_code,place_type",
}


class Reply(NamedTuple):
    """A response; body is parsed JSON, or the raw bytes of anything else."""

    status: int
    raw: bytes
    headers: dict[str, str]

    @property
    def body(self) -> Any:
        return _parsed(self.raw)

    @property
    def ids(self) -> list[int]:
        """The ids of the page, in its order."""
        return [int(tweet["id"]) for tweet in self.body.get("data", [])]


class Client:
    """Speaks to one emulator, with a new connection for each request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def send(self, method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes | None = None) -> Reply:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})

    def get(self, path: str, *, headers: dict[str, str] = BEARER, **params: Any) -> Reply:
        return self.send("GET", f"{path}?{urlencode(params)}", headers=headers)

    def search(self, query: str, *, headers: dict[str, str] = BEARER, **params: Any) -> Reply:
        return self.get(SEARCH, headers=headers, **{"query": query, "max_results": 100, **params})

    def pages(self, query: str, **params: Any) -> list[Reply]:
        return self.listed(SEARCH, **{"query": query, "max_results": 100, **params})

    def listed(self, path: str, **params: Any) -> list[Reply]:
        """Every page of a listing."""
        pages = [self.get(path, **params)]
        while token := pages[-1].body["meta"].get("next_token"):
            pages.append(self.get(path, **{**params, "next_token": token}))
        return pages

    def every(self, query: str, **params: Any) -> list[dict[str, Any]]:
        return [tweet for page in self.pages(query, **{**USUAL, **params}) for tweet in page.body.get("data", [])]

    def control(self, method: str, path: str, body: object = None) -> Reply:
        sent = None if body is None else json.dumps(body).encode()
        return self.send(method, f"/emulator{path}", body=sent)

    def create(self, **order: Any) -> dict[str, Any]:
        """Make a compliance job and return it."""
        body = json.dumps({"type": "tweets", **order}).encode()
        job: dict[str, Any] = self.send("POST", JOBS, headers=BEARER, body=body).body["data"]
        return job

    def poll(self, job: dict[str, Any]) -> dict[str, Any]:
        """Return a job as it is now."""
        now: dict[str, Any] = self.get(f"{JOBS}/{job['id']}").body["data"]
        return now

    def upload(self, job: dict[str, Any], *ids: object) -> Reply:
        """Put ids, one a line."""
        return self.send("PUT", self.target(job["upload_url"]), body="".join(f"{one}\n" for one in ids).encode())

    def download(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the results of a job."""
        reply = self.send("GET", self.target(job["download_url"]))
        assert reply.status == 200
        return [json.loads(line) for line in reply.raw.splitlines()]

    def target(self, url: str) -> str:
        """Return an address without its host, which must be the emulator's."""
        base = f"http://127.0.0.1:{self.port}"
        assert url.startswith(f"{base}/")
        return url.removeprefix(base)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(seed=1, now=NOON) as running:
        yield running


@pytest.fixture(scope="session")
def shared() -> Iterator[Emulator]:
    """One for tests that only read; its limits are wide and its clock stands still."""
    wide = 1_000_000
    with Emulator(
        seed=1, now=NOON, bearer_limit=wide, counts_limit=wide, archive_limit=wide, archive_pace=0, usage_limit=wide
    ) as running:
        yield running


@pytest.fixture
def client(emulator: Emulator) -> Client:
    return Client(emulator.port)


@pytest.fixture(scope="session")
def reader(shared: Emulator) -> Client:
    return Client(shared.port)


@pytest.fixture(scope="session")
def usual() -> dict[str, Any]:
    return dict(USUAL)


@pytest.fixture(scope="session")
def oauth1() -> dict[str, str]:
    return dict(OAUTH1)


@pytest.fixture(scope="session")
def noon() -> datetime:
    return NOON


@pytest.fixture(scope="session")
def devops(reader: Client) -> list[dict[str, Any]]:
    """Every tweet of #devops in the seven days before noon."""
    return reader.every("#devops")
