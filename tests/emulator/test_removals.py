"""What is removed from the world is found no more."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from emulator import Emulator
from tests.emulator.conftest import Client

COUNTS = "/2/tweets/counts/recent"


def total(client: Client, query: str) -> int:
    count: int = client.get(COUNTS, query=query).body["meta"]["total_tweet_count"]
    return count


@pytest.mark.parametrize("query", ["#remediation", "#zebrafish"])
def test_a_removed_post_is_neither_found_nor_counted(emulator: Emulator, client: Client, query: str) -> None:
    before, counted = client.search(query).ids, total(client, query)
    emulator.remove(before[0], before[2])
    after = client.search(query).ids
    assert after[: len(before) - 2] == [one for one in before if one not in (before[0], before[2])]
    assert total(client, query) == counted - 2
    emulator.reinstate()
    assert client.search(query).ids == before
    assert total(client, query) == counted


@pytest.mark.parametrize("named", [0, -1])
def test_no_version_of_a_removed_post_is_left(emulator: Emulator, client: Client, named: int) -> None:
    found = client.every("#devops")
    history = next(one["edit_history_tweet_ids"] for one in found if len(one["edit_history_tweet_ids"]) > 1)
    emulator.remove(int(history[named]))
    left = {version for tweet in client.every("#devops") for version in tweet["edit_history_tweet_ids"]}
    assert not left & set(history)
    assert len(client.every("#devops")) == len(found) - 1


@pytest.mark.parametrize("named", [0, -1])
def test_a_scrubbed_post_stays_without_its_place(emulator: Emulator, client: Client, named: int) -> None:
    before = client.every("#devops has:geo")
    post = before[0]
    emulator.remove(int(post["edit_history_tweet_ids"][named]), reason="scrub_geo")
    after = {tweet["id"]: tweet for tweet in client.every("#devops")}[post["id"]]
    assert "geo" not in after
    assert {**after, "geo": post["geo"]} == post
    assert [tweet["id"] for tweet in client.every("#devops has:geo")] == [tweet["id"] for tweet in before[1:]]
    emulator.reinstate()
    assert client.every("#devops has:geo") == before


def test_a_removed_post_is_not_included_where_another_refers_to_it(emulator: Emulator, client: Client) -> None:
    included = [
        int(tweet["id"]) for tweet in client.search("#devops", expansions="referenced_tweets.id").body["includes"]["tweets"]
    ]
    emulator.remove(included[0])
    left = client.search("#devops", expansions="referenced_tweets.id").body["includes"]["tweets"]
    assert [int(tweet["id"]) for tweet in left] == included[1:]


def test_removals_are_set_added_shown_and_cleared_over_http(client: Client) -> None:
    first, second, third = client.search("#devops").ids[:3]
    client.control("PUT", "/removals", {"ids": [str(first)]})
    assert client.control("POST", "/removals", {"ids": [second], "reason": "protected"}).body == {
        "removals": [
            {"id": str(first), "reason": "deleted", "redacted_at": "2026-11-24T12:00:00.000Z"},
            {"id": str(second), "reason": "protected", "redacted_at": "2026-11-24T12:00:00.000Z"},
        ]
    }
    assert client.search("#devops").ids[0] == third
    assert [one["id"] for one in client.control("PUT", "/removals", {"ids": [str(third)]}).body["removals"]] == [str(third)]
    assert client.search("#devops").ids[:2] == [first, second]
    assert client.control("DELETE", "/removals").body == client.control("GET", "/removals").body == {"removals": []}


@pytest.mark.parametrize(
    "body", [{}, {"ids": []}, {"ids": "12"}, {"ids": ["twelve"]}, {"ids": [-1]}, {"ids": ["1"], "reason": "boredom"}]
)
def test_nonsense_is_refused(client: Client, body: object) -> None:
    for method in ("PUT", "POST"):
        assert client.control(method, "/removals", body).status == 400
    assert client.control("GET", "/removals").body == {"removals": []}


def test_an_unknown_reason_is_refused(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="unknown reason"):
        emulator.remove(1, reason="boredom")


def test_an_id_that_no_post_can_have_may_be_removed(emulator: Emulator, client: Client) -> None:
    emulator.remove(0, 10**19 - 1)
    job = client.create()
    client.upload(job, 0, 10**19 - 1)
    assert len(client.download(job)) == 2


def test_a_judge_counts_what_search_would_show(emulator: Emulator, client: Client, noon: datetime) -> None:
    start, end = noon - timedelta(days=3, minutes=17), noon - timedelta(days=1)
    bounds = {"start_time": start.isoformat(), "end_time": end.isoformat()}
    found = [tweet["id"] for tweet in client.every("#devops", **bounds)]
    assert emulator.count("#devops", start, end) == emulator.count("DevOps", start, end) == len(found) > 500
    emulator.remove(int(found[0]))
    assert emulator.count("#devops", start, end) == len(found) - 1
    assert emulator.count("#devops", end, start) == 0
