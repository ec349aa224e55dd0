"""The six original endpoints over HTTP, as contracted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving

ORIGINAL = ["tweet", "author", "followers", "created", "lang", "country", "rash"]
FURTHER = {"id", "username", "tags", "country_code"}


@pytest.fixture(scope="module")
def held() -> Iterator[Emulator]:
    """An emulator whose clock stands still, so that X has nothing new."""
    with Emulator() as emulator:
        emulator.clock.hold()
        yield emulator


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, held: Emulator, database_backend: str) -> Iterator[Server]:
    """The service with the tweets of one collection."""
    folder = tmp_path_factory.mktemp("service")
    settings = environment(folder, held) | {"TAGS": "", "TW_NUMBER": "40"}
    with serving(folder, **settings) as server:
        assert server.get("/database").status_code == 200
        yield server


@pytest.fixture(scope="module")
def stored(service: Server) -> list[dict[str, Any]]:
    tweets: list[dict[str, Any]] = service.get("/tweets").json()["tweets"]
    assert len(tweets) > 300
    return tweets


def test_a_tweet_has_the_original_keys_first_and_the_further_ones(stored: list[dict[str, Any]]) -> None:
    for tweet in stored:
        assert list(tweet)[:7] == ORIGINAL
        assert tweet.keys() >= FURTHER
        assert isinstance(tweet["id"], str)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", tweet["created"])
        assert tweet["rash"] in tweet["tags"]


def test_tweets_come_oldest_id_first_and_once(stored: list[dict[str, Any]]) -> None:
    ids = [int(tweet["id"]) for tweet in stored]
    assert ids == sorted(set(ids))


def test_texts_are_as_x_sent_them(stored: list[dict[str, Any]]) -> None:
    assert any("&amp;" in tweet["tweet"] or "&gt;" in tweet["tweet"] for tweet in stored)


def test_followers_give_distinct_authors_most_followed_first(service: Server, stored: list[dict[str, Any]]) -> None:
    authors = service.get("/tweets?order_by_followers_desc=5").json()["authors"]
    named = {tweet["username"]: (tweet["author"], tweet["followers"]) for tweet in stored if tweet["author"]}
    ranked = sorted(named, key=lambda username: (-named[username][1], username))[:5]
    counts = Counter(tweet["username"] for tweet in stored)
    assert authors == [
        {"author": named[name][0], "followers": named[name][1], "username": name, "tweets": counts[name]} for name in ranked
    ]


def test_the_most_authors_are_a_thousand(service: Server, stored: list[dict[str, Any]]) -> None:
    authors = service.get("/tweets?order_by_followers_desc=1000").json()["authors"]
    assert len(authors) == len({tweet["username"] for tweet in stored if tweet["author"]})
    assert [a["followers"] for a in authors] == sorted((a["followers"] for a in authors), reverse=True)


@pytest.mark.parametrize("zone", [None, "UTC", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe"])
def test_hours_are_24_rows_that_sum_to_the_tweets(service: Server, stored: list[dict[str, Any]], zone: str | None) -> None:
    rows = service.get("/tweets_per_hour" + (f"?tz={zone}" if zone else "")).json()["tweets_per_hour"]
    local = [datetime.fromisoformat(tweet["created"]).astimezone(ZoneInfo(zone or "UTC")) for tweet in stored]
    counts = Counter(moment.hour for moment in local)
    assert rows == [{"at_hour": f"{hour:02d}:00", "tweets": counts[hour]} for hour in range(24)]


def test_tags_equal_a_recount(service: Server, stored: list[dict[str, Any]]) -> None:
    lists = service.get("/tweets_per_tag").json()["tweets_per_tags"]
    counts = Counter((tag, tweet["lang"]) for tweet in stored for tag in tweet["tags"])
    assert {(row["rash"], row["lang"]): row["tweets"] for rows in lists for row in rows} == counts
    assert [rows[0]["rash"] for rows in lists] == sorted({tag for tag, _ in counts}, key=str.casefold)
    for rows in lists:
        assert len({row["rash"] for row in rows}) == 1
        assert rows == sorted(rows, key=lambda row: (-row["tweets"], row["lang"] or "~"))


def test_a_second_collection_adds_nothing_when_x_has_nothing_new(service: Server, stored: list[dict[str, Any]]) -> None:
    answer = service.get("/database")
    assert answer.json()["message"] == "database has been restored"
    assert answer.json()["collection"]["tweets_added"] == 0
    assert service.get("/tweets").json()["tweets"] == stored


def test_the_collection_can_be_read_again(service: Server) -> None:
    collection = service.get("/database").json()["collection"]
    assert service.get(f"/collections/{collection['id']}").json() == collection
    assert collection.keys() == {"id", "state", "started", "ended", "tweets_added", "tags", "spend", "gaps", "error"}
    assert collection["spend"].keys() == {"posts", "users", "floor_usd", "ceiling_usd"}
    assert collection["spend"]["floor_usd"] == pytest.approx(collection["spend"]["posts"] * 0.005)


def test_dropping_and_restoring(server: Server, emulator: Emulator, tmp_path: Path) -> None:
    emulator.clock.hold()
    assert server.get("/database").status_code == 200
    before = server.get("/tweets").json()
    answer = server.request("DELETE", "/database")
    assert answer.json()["message"] == "database has been dropped"
    server.until(lambda: '"message":"database has been dropped"' in server.log.read_text())
    assert '"monitor":{"status":"success","code":200,' in server.log.read_text()
    assert (tmp_path / "backups" / answer.json()["backup"]).exists()
    assert server.get("/tweets").json() == {"tweets": []}
    assert server.get("/tweets?order_by_followers_desc=5").json() == {"authors": []}
    assert server.get("/tweets_per_tag").json() == {"tweets_per_tags": []}
    assert {row["tweets"] for row in server.get("/tweets_per_hour").json()["tweets_per_hour"]} == {0}
    assert server.get("/collections/1").status_code == 200
    assert server.request("POST", "/database").status_code == 200
    assert server.get("/tweets").json()["tweets"].__len__() == len(before["tweets"])


def test_a_failed_collection_is_503_with_the_collection(server: Server, emulator: Emulator) -> None:
    emulator.plan("unauthorized", times=None)
    answer = server.get("/database")
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["collection"]["state"] == "failed"
    assert "TWITTER_BEARER_TOKEN" in answer.json()["detail"]
    assert server.get("/readyz").json()["last_collection"]["error"] == answer.json()["collection"]["error"]


def test_a_partial_collection_is_200(server: Server, emulator: Emulator) -> None:
    emulator.plan("server_500", times=None, tag="#sre")
    answer = server.get("/database")
    assert answer.status_code == 200
    assert answer.json()["collection"]["state"] == "partial"


def test_while_a_collection_runs_others_are_409_with_its_location(server: Server, emulator: Emulator) -> None:
    emulator.latency = 0.7
    with server.in_background("/database") as first:
        running = server.until(lambda: server.get("/readyz").json()["last_collection"])
        for method in ("GET", "POST"):
            refused = server.request(method, "/database")
            assert refused.status_code == 409
            assert refused.headers["Location"] == f"/collections/{running['id']}"
        assert server.request("DELETE", "/database").status_code == 409
        assert server.get(refused.headers["Location"]).json()["state"] == "running"
        assert server.get("/tweets").status_code == 200
        assert first.result().status_code == 200
    assert server.get(f"/collections/{running['id']}").json()["state"] == "done"
