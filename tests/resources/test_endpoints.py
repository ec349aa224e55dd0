"""The original endpoints over HTTP, as contracted: tweets, counts per tag, collecting and dropping.

test_lists.py has the most followed authors, test_timeline.py the hours of the day.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import Emulator
from tests.fixtures.service import Service
from tests.resources.conftest import QUIET, Json, Start, given, problem

ORIGINAL = ["tweet", "author", "followers", "created", "lang", "country", "rash"]
FURTHER = {"id", "username", "tags", "country_code"}

pytestmark = pytest.mark.dialects


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    """The service with the tweets of one collection."""
    with shared(TW_NUMBER="60") as running:
        given(running, "/database")
        yield running


@pytest.fixture(scope="module")
def stored(service: Service) -> list[Json]:
    tweets: list[Json] = given(service, "/tweets")["tweets"]
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


def test_tags_equal_a_recount(service: Service, stored: list[Json]) -> None:
    lists = given(service, "/tweets_per_tag")["tweets_per_tags"]
    counts = Counter((tag, tweet["lang"]) for tweet in stored for tag in tweet["tags"])
    assert {(row["rash"], row["lang"]): row["tweets"] for rows in lists for row in rows} == counts
    assert [rows[0]["rash"] for rows in lists] == sorted({tag for tag, _ in counts}, key=str.casefold)
    for rows in lists:
        assert len({row["rash"] for row in rows}) == 1
        assert rows == sorted(rows, key=lambda row: (-row["tweets"], row["lang"] or "~"))


def test_dropping_and_restoring(fresh: Service, emulator: Emulator, tmp_path: Path) -> None:
    emulator.clock.hold(QUIET)
    given(fresh, "/database")
    before = given(fresh, "/tweets")
    answer = fresh.request("DELETE", "/database")
    assert answer.json()["message"] == "database has been dropped"
    assert '"monitor":{"status":"success","code":200,' in fresh.log.read_text()
    assert (tmp_path / "backups" / answer.json()["backup"]).exists()
    assert given(fresh, "/tweets") == {"tweets": []}
    assert given(fresh, "/tweets?order_by_followers_desc=5") == {"authors": []}
    assert given(fresh, "/tweets_per_tag") == {"tweets_per_tags": []}
    assert [row["tweets"] for row in given(fresh, "/tweets_per_hour")["tweets_per_hour"]] == [0] * 24
    answer = fresh.request("POST", "/database")
    assert answer.json()["message"] == "database has been restored"
    assert answer.json()["collection"] == given(fresh, "/collections/2")
    assert given(fresh, "/tweets") == before


def test_a_failed_collection_is_503_with_the_collection_and_a_partial_one_is_200(fresh: Service, emulator: Emulator) -> None:
    emulator.plan("unauthorized", times=None)
    body = problem(fresh.get("/database"), 503)
    assert body["collection"]["state"] == "failed"
    assert "TWITTER_BEARER_TOKEN" in body["detail"]
    assert given(fresh, "/readyz")["last_collection"]["error"] == body["collection"]["error"]
    emulator.clear_faults()
    emulator.plan("server_500", times=None, tag="#sre")
    assert given(fresh, "/database")["collection"]["state"] == "partial"
