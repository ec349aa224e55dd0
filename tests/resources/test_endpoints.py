"""The six original endpoints over HTTP, as contracted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
from tests.resources.conftest import QUIET, Json, problem

ORIGINAL = ["tweet", "author", "followers", "created", "lang", "country", "rash"]
FURTHER = {"id", "username", "tags", "country_code"}
ZONES = [None, "UTC", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe"]

pytestmark = pytest.mark.dialects


@pytest.fixture(scope="module")
def service(folder: Path, x: Emulator) -> Iterator[Service]:
    """The service with the tweets of one collection."""
    with in_process(folder, **environment(folder, x) | {"TW_NUMBER": "60"}) as running:
        assert running.get("/database").status_code == 200
        yield running


@pytest.fixture(scope="module")
def stored(service: Service) -> list[Json]:
    tweets: list[Json] = service.get("/tweets").json()["tweets"]
    assert len(tweets) > 100
    return tweets


def test_tweets_have_the_original_keys_first_and_come_oldest_id_first_as_x_sent_them(stored: list[Json]) -> None:
    ids = [int(tweet["id"]) for tweet in stored]
    assert ids == sorted(set(ids))
    assert any("&amp;" in tweet["tweet"] or "&gt;" in tweet["tweet"] for tweet in stored)
    for tweet in stored:
        assert list(tweet)[:7] == ORIGINAL
        assert tweet.keys() >= FURTHER
        assert isinstance(tweet["id"], str)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", tweet["created"])
        assert tweet["rash"] in tweet["tags"]


def test_followers_give_distinct_authors_most_followed_first(service: Service, stored: list[Json]) -> None:
    named = {tweet["username"]: (tweet["author"], tweet["followers"]) for tweet in stored if tweet["author"]}
    ranked = sorted(named, key=lambda username: (-named[username][1], username))
    counts = Counter(tweet["username"] for tweet in stored)
    expected = [
        {"author": named[name][0], "followers": named[name][1], "username": name, "tweets": counts[name]} for name in ranked
    ]
    for most in (5, 1000):
        assert service.get(f"/tweets?order_by_followers_desc={most}").json()["authors"] == expected[:most]


def test_hours_are_24_rows_that_sum_to_the_tweets(service: Service, stored: list[Json]) -> None:
    for zone in ZONES:
        rows = service.get("/tweets_per_hour" + (f"?tz={zone}" if zone else "")).json()["tweets_per_hour"]
        local = [datetime.fromisoformat(tweet["created"]).astimezone(ZoneInfo(zone or "UTC")) for tweet in stored]
        counts = Counter(moment.hour for moment in local)
        assert rows == [{"at_hour": f"{hour:02d}:00", "tweets": counts[hour]} for hour in range(24)], zone


def test_tags_equal_a_recount(service: Service, stored: list[Json]) -> None:
    lists = service.get("/tweets_per_tag").json()["tweets_per_tags"]
    counts = Counter((tag, tweet["lang"]) for tweet in stored for tag in tweet["tags"])
    assert {(row["rash"], row["lang"]): row["tweets"] for rows in lists for row in rows} == counts
    assert [rows[0]["rash"] for rows in lists] == sorted({tag for tag, _ in counts}, key=str.casefold)
    for rows in lists:
        assert len({row["rash"] for row in rows}) == 1
        assert rows == sorted(rows, key=lambda row: (-row["tweets"], row["lang"] or "~"))


def test_a_second_collection_adds_nothing_when_x_has_nothing_new(service: Service, stored: list[Json]) -> None:
    answer = service.get("/database").json()
    assert answer["message"] == "database has been restored"
    assert answer["collection"]["tweets_added"] == 0
    assert service.get(f"/collections/{answer['collection']['id']}").json() == answer["collection"]
    assert service.get("/tweets").json()["tweets"] == stored


def test_dropping_and_restoring(fresh: Service, emulator: Emulator, tmp_path: Path) -> None:
    emulator.clock.hold(QUIET)
    assert fresh.get("/database").status_code == 200
    before = fresh.get("/tweets").json()
    answer = fresh.request("DELETE", "/database")
    assert answer.json()["message"] == "database has been dropped"
    assert '"message":"database has been dropped"' in fresh.log.read_text()
    assert '"monitor":{"status":"success","code":200,' in fresh.log.read_text()
    assert (tmp_path / "backups" / answer.json()["backup"]).exists()
    assert fresh.get("/tweets").json() == {"tweets": []}
    assert fresh.get("/tweets?order_by_followers_desc=5").json() == {"authors": []}
    assert fresh.get("/tweets_per_tag").json() == {"tweets_per_tags": []}
    assert {row["tweets"] for row in fresh.get("/tweets_per_hour").json()["tweets_per_hour"]} == {0}
    assert fresh.request("POST", "/database").status_code == 200
    assert fresh.get("/tweets").json() == before


def test_a_failed_collection_is_503_with_the_collection_and_a_partial_one_is_200(fresh: Service, emulator: Emulator) -> None:
    emulator.plan("unauthorized", times=None)
    answer = fresh.get("/database")
    body = problem(answer, 503)
    assert body["collection"]["state"] == "failed"
    assert "TWITTER_BEARER_TOKEN" in body["detail"]
    assert fresh.get("/readyz").json()["last_collection"]["error"] == body["collection"]["error"]
    emulator.clear_faults()
    emulator.plan("server_500", times=None, tag="#sre")
    answer = fresh.get("/database")
    assert (answer.status_code, answer.json()["collection"]["state"]) == (200, "partial")
