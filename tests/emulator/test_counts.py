"""Counts: what search would find, without buying it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tests.emulator.conftest import Client

COUNTS = "/2/tweets/counts/recent"


@pytest.mark.parametrize(
    "query", ["#remediation", "#devops #cloud", "#sre lang:en", "#oauth OR #zebrafish", "#metrics -is:reply"]
)
def test_counts_equal_what_search_finds(reader: Client, query: str) -> None:
    body = reader.get(COUNTS, query=query).body
    found = len(reader.every(query))
    assert body["meta"]["total_tweet_count"] == found == sum(bucket["tweet_count"] for bucket in body["data"])


@pytest.mark.parametrize(("granularity", "letters"), [("day", 10), ("hour", 13), ("minute", 16)])
def test_each_stretch_counts_its_own_tweets(
    reader: Client, devops: list[dict[str, Any]], granularity: str, letters: int
) -> None:
    expected = Counter(tweet["created_at"][:letters] for tweet in devops)
    data = reader.get(COUNTS, query="#devops", granularity=granularity).body["data"]
    assert {bucket["start"][:letters]: bucket["tweet_count"] for bucket in data if bucket["tweet_count"]} == expected


def test_stretches_follow_each_other_and_cover_the_seven_days(reader: Client) -> None:
    data = reader.get(COUNTS, query="#devops").body["data"]
    assert (data[0]["start"], data[-1]["end"]) == ("2026-11-17T12:00:00.000Z", "2026-11-24T11:59:30.000Z")
    assert all(one["end"] == other["start"] for one, other in pairwise(data))


def test_bounds_are_those_of_search(reader: Client) -> None:
    bounds: dict[str, Any] = {"start_time": "2026-11-20T10:30:00Z", "end_time": "2026-11-20T12:15:00Z"}
    body = reader.get(COUNTS, query="#devops", **bounds).body
    assert [bucket["start"][11:16] for bucket in body["data"]] == ["10:30", "11:00", "12:00"]
    assert body["data"][-1]["end"] == "2026-11-20T12:15:00.000Z"
    assert body["meta"]["total_tweet_count"] == len(reader.every("#devops", **bounds))


def test_a_tag_without_tweets_counts_zero(reader: Client) -> None:
    newest = reader.search("#zebrafish").ids[0]
    assert reader.get(COUNTS, query="#zebrafish", since_id=newest).body["meta"] == {"total_tweet_count": 0}


@pytest.mark.parametrize("params", [{"granularity": "week"}, {"max_results": 10}, {"query": ""}, {"since_id": "1"}])
def test_what_x_refuses_is_an_invalid_request(reader: Client, params: dict[str, Any]) -> None:
    reply = reader.get(COUNTS, **{"query": "#devops", **params})
    assert (reply.status, reply.body["title"]) == (400, "Invalid Request")
