"""Counts, recent and of the whole archive: what search would find, without buying it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from emulator import Emulator
from tests.emulator.client import COUNTS, COUNTS_ALL, NOON, Client, Json, snowflake

YEAR: dict[str, Any] = {"start_time": "2019-01-01T10:30:00Z", "end_time": "2019-04-01T12:15:00Z"}


def in_a_row(buckets: list[Json]) -> bool:
    return all(one["end"] == other["start"] for one, other in pairwise(buckets))


def test_counts_equal_what_search_finds_in_stretches_that_cover_the_seven_days(reader: Client) -> None:
    for query in ("#sre lang:en", "#oauth OR #zebrafish", "#metrics -is:reply"):
        body = reader.get(COUNTS, query=query).body
        data, found = body["data"], len(reader.every(query))
        assert body["meta"]["total_tweet_count"] == found == sum(bucket["tweet_count"] for bucket in data)
        assert (data[0]["start"], data[-1]["end"]) == ("2026-11-17T12:00:00.000Z", "2026-11-24T11:59:30.000Z")
        assert in_a_row(data)


def test_each_stretch_counts_its_own_tweets(reader: Client, devops: list[Json]) -> None:
    for granularity, letters in (("day", 10), ("hour", 13), ("minute", 16)):
        expected = Counter(tweet["created_at"][:letters] for tweet in devops)
        data = reader.get(COUNTS, query="#devops", granularity=granularity).body["data"]
        assert {bucket["start"][:letters]: bucket["tweet_count"] for bucket in data if bucket["tweet_count"]} == expected


def test_the_names_of_2_167_come_where_they_are_asked_for(reader: Client) -> None:
    fields: dict[str, Any] = {"search_count.fields": "start,end,post_count"}
    named = reader.get(COUNTS, query="#devops", **fields).body
    usual = reader.get(COUNTS, query="#devops").body
    assert named["meta"]["total_post_count"] == usual["meta"]["total_tweet_count"]
    assert [one["post_count"] for one in named["data"]] == [one["tweet_count"] for one in usual["data"]]


def test_bounds_are_those_of_search(reader: Client) -> None:
    bounds: dict[str, Any] = {"start_time": "2026-11-20T10:30:00Z", "end_time": "2026-11-20T12:15:00Z"}
    body = reader.get(COUNTS, query="#devops", **bounds).body
    assert [bucket["start"][11:16] for bucket in body["data"]] == ["10:30", "11:00", "12:00"]
    assert body["data"][-1]["end"] == "2026-11-20T12:15:00.000Z"
    assert body["meta"]["total_tweet_count"] == len(reader.every("#devops", **bounds))


@pytest.mark.parametrize("granularity", ["hour", "day"])
def test_pages_of_all_hold_31_days_at_most_the_newest_first_and_leave_nothing_out(
    shared: Emulator, reader: Client, granularity: str
) -> None:
    pages = reader.listed(COUNTS_ALL, query="#remediation", granularity=granularity, **YEAR)
    assert len(pages) == 3
    for page in pages:
        first, last = (datetime.fromisoformat(page.body["data"][nth][end]) for nth, end in ((0, "start"), (-1, "end")))
        assert last - first <= timedelta(days=31)
        assert page.body["meta"]["total_tweet_count"] == sum(bucket["tweet_count"] for bucket in page.body["data"])
    joined = [bucket for page in reversed(pages) for bucket in page.body["data"]]
    assert (joined[0]["start"], joined[-1]["end"]) == ("2019-01-01T10:30:00.000Z", "2019-04-01T12:15:00.000Z")
    assert in_a_row(joined)
    assert granularity == "hour" or len({bucket["start"][:10] for bucket in joined}) == len(joined) == 91
    start, end = (datetime.fromisoformat(YEAR[name]) for name in ("start_time", "end_time"))
    assert sum(bucket["tweet_count"] for bucket in joined) == shared.count("#remediation", start, end) > 1000


def test_all_agrees_with_the_counts_of_the_last_days(reader: Client) -> None:
    bounds: dict[str, Any] = {"start_time": "2026-11-20T10:30:00Z", "end_time": "2026-11-23T12:15:00Z"}
    body = reader.get(COUNTS_ALL, query="#devops", **bounds).body
    assert body == reader.get(COUNTS, query="#devops", **bounds).body
    assert body["data"][0].keys() == {"start", "end", "tweet_count"}


def test_without_bounds_all_covers_thirty_days_on_one_page_by_hours(reader: Client) -> None:
    body = reader.get(COUNTS_ALL, query="#remediation").body
    assert (body["data"][0]["start"], body["data"][-1]["end"]) == ("2026-10-25T11:59:30.000Z", "2026-11-24T11:59:30.000Z")
    assert len(body["data"]) == 30 * 24 + 1
    assert "next_token" not in body["meta"]


def test_all_may_run_up_to_now(reader: Client) -> None:
    since = snowflake(NOON - timedelta(days=40))
    pages = reader.listed(COUNTS_ALL, query="#remediation", since_id=since, granularity="day")
    assert pages[0].body["data"][-1]["end"] == "2026-11-24T12:00:00.000Z"
    assert datetime.fromisoformat(pages[-1].body["data"][0]["start"]) == NOON.astimezone(UTC) - timedelta(days=40)


def test_each_page_of_all_is_a_call_that_costs_two_posts(emulator: Emulator, client: Client) -> None:
    page = client.get(COUNTS_ALL, query="#remediation", granularity="day", **YEAR)
    emulator.clock.advance(1)
    client.get(COUNTS_ALL, query="#remediation", granularity="day", next_token=page.body["meta"]["next_token"], **YEAR)
    client.get(COUNTS, query="#remediation")
    emulator.clock.advance(1)
    client.get(COUNTS_ALL, query="")
    total = emulator.ledger.total()
    assert (total.counts_all_calls, total.counts_calls, total.floor, total.ceiling) == (2, 1, 25, 25)
    assert client.control("GET", "/ledger").body["total"]["counts_all_calls"] == 2


def test_counts_may_have_no_data_or_end_early_with_and_without_a_token(emulator: Emulator, client: Client) -> None:
    def ask(fault: str | None = None, **more: Any) -> Json:
        if fault:
            emulator.plan(fault, endpoint="counts_all")
        emulator.reset_limits()
        emulator.clock.advance(1)
        day: dict[str, Any] = {"start_time": "2026-09-01T00:00:00Z", "end_time": "2026-09-02T00:00:00Z"}
        body: Json = client.get(COUNTS_ALL, query="#sre", **day, **more).body
        return body

    whole = ask()["data"]
    assert ask("counts_no_data") == {"meta": {"total_tweet_count": 0}}
    early, with_token = ask("counts_early"), ask("counts_early_token")
    assert early["data"] == with_token["data"] == whole[12:]
    assert early["meta"] == {"total_tweet_count": sum(bucket["tweet_count"] for bucket in whole[12:])}
    assert ask(next_token=with_token["meta"]["next_token"]) == {"meta": {"total_tweet_count": 0}}
    assert emulator.ledger.total().counts_all_calls == 5
