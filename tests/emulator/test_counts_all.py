"""Counts over the whole archive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from emulator import Emulator
from tests.emulator.conftest import Client, Reply

ALL = "/2/tweets/counts/all"
RECENT = "/2/tweets/counts/recent"
YEAR: dict[str, Any] = {"start_time": "2019-01-01T10:30:00Z", "end_time": "2019-04-01T12:15:00Z"}


def starts(page: Reply) -> list[str]:
    return [bucket["start"] for bucket in page.body["data"]]


@pytest.mark.parametrize("granularity", ["hour", "day"])
def test_pages_hold_at_most_31_days_the_newest_first_and_leave_nothing_out(reader: Client, granularity: str) -> None:
    pages = reader.listed(ALL, query="#remediation", granularity=granularity, **YEAR)
    assert len(pages) == 3
    for page in pages:
        first, last = (datetime.fromisoformat(page.body["data"][nth][end]) for nth, end in ((0, "start"), (-1, "end")))
        assert last - first <= timedelta(days=31)
    joined = [bucket for page in reversed(pages) for bucket in page.body["data"]]
    assert (joined[0]["start"], joined[-1]["end"]) == ("2019-01-01T10:30:00.000Z", "2019-04-01T12:15:00.000Z")
    assert all(one["end"] == other["start"] for one, other in pairwise(joined))


def test_no_stretch_is_split_between_pages(reader: Client) -> None:
    pages = reader.listed(ALL, query="#remediation", granularity="day", **YEAR)
    assert [starts(page)[0] for page in pages[:-1]] == ["2019-03-02T00:00:00.000Z", "2019-01-30T00:00:00.000Z"]
    days = [start[:10] for page in pages for start in starts(page)]
    assert len(set(days)) == len(days) == 91


def test_each_page_tells_its_own_total_and_they_add_up(shared: Emulator, reader: Client) -> None:
    pages = reader.listed(ALL, query="#remediation", granularity="day", **YEAR)
    for page in pages:
        assert page.body["meta"]["total_tweet_count"] == sum(bucket["tweet_count"] for bucket in page.body["data"])
    start, end = (datetime.fromisoformat(YEAR[name]) for name in ("start_time", "end_time"))
    total = sum(page.body["meta"]["total_tweet_count"] for page in pages)
    assert total == shared.count("#remediation", start, end) > 1000
    assert "next_token" not in pages[-1].body["meta"]


def test_it_agrees_with_search_and_with_the_counts_of_the_last_days(reader: Client) -> None:
    bounds: dict[str, Any] = {"start_time": "2026-11-20T10:30:00Z", "end_time": "2026-11-23T12:15:00Z"}
    body = reader.get(ALL, query="#devops", **bounds).body
    assert body == reader.get(RECENT, query="#devops", **bounds).body
    assert body["data"][0].keys() == {"start", "end", "tweet_count"}


def test_a_minute_is_a_stretch_too(reader: Client) -> None:
    minutes = reader.get(
        ALL, query="#devops", granularity="minute", start_time="2019-01-01T00:00:00Z", end_time="2019-01-01T01:00:00Z"
    )
    assert starts(minutes)[:2] == ["2019-01-01T00:00:00.000Z", "2019-01-01T00:01:00.000Z"]
    assert len(starts(minutes)) == 60


def test_without_bounds_it_covers_thirty_days_on_one_page_by_hours(reader: Client) -> None:
    body = reader.get(ALL, query="#devops").body
    assert (body["data"][0]["start"], body["data"][-1]["end"]) == ("2026-10-25T11:59:30.000Z", "2026-11-24T11:59:30.000Z")
    assert len(body["data"]) == 30 * 24 + 1
    assert "next_token" not in body["meta"]


def test_each_page_is_a_call_that_costs_two_posts(emulator: Emulator, client: Client) -> None:
    page = client.get(ALL, query="#devops", granularity="day", **YEAR)
    emulator.clock.advance(1)
    client.get(ALL, query="#devops", granularity="day", next_token=page.body["meta"]["next_token"], **YEAR)
    client.get(RECENT, query="#devops")
    emulator.clock.advance(1)
    client.get(ALL, query="")
    total = emulator.ledger.total()
    assert (total.counts_all_calls, total.counts_calls, total.floor, total.ceiling) == (2, 1, 25, 25)
    assert client.control("GET", "/ledger").body["total"]["counts_all_calls"] == 2


def test_it_wants_a_bearer_token_and_one_request_a_second(emulator: Emulator, client: Client, oauth1: dict[str, str]) -> None:
    assert client.get(ALL, query="#devops", headers=oauth1).status == 403
    replies = [client.get(ALL, query="#devops") for _ in range(2)]
    assert [reply.status for reply in replies] == [200, 429]
    assert replies[0].headers["x-rate-limit-limit"] == "300"
    assert int(replies[1].headers["x-rate-limit-reset"]) - emulator.clock.now().timestamp() == 1


@pytest.mark.parametrize("params", [{"granularity": "week"}, {"max_results": 10}, {"query": "b" * 1025}, {"next_token": "x"}])
def test_what_x_refuses_is_an_invalid_request(reader: Client, params: dict[str, Any]) -> None:
    reply = reader.get(ALL, **{"query": "#devops", **params})
    assert (reply.status, reply.body["title"]) == (400, "Invalid Request")


def test_its_calls_have_faults_of_their_own(emulator: Emulator, client: Client) -> None:
    emulator.plan("server_500", endpoint="counts_all")
    assert client.get(RECENT, query="#devops").status == 200
    assert client.get(ALL, query="#devops").status == 500
    assert emulator.ledger.total().counts_all_calls == 0


def test_counts_may_run_up_to_now(emulator: Emulator, reader: Client, noon: datetime) -> None:
    since = (round((noon - timedelta(days=40)).timestamp() * 1000) - 1288834974657) << 22
    pages = reader.listed(ALL, query="#devops", since_id=since, granularity="day")
    assert pages[0].body["data"][-1]["end"] == "2026-11-24T12:00:00.000Z"
    assert datetime.fromisoformat(pages[-1].body["data"][0]["start"]) == noon.astimezone(UTC) - timedelta(days=40)
