"""What is removed from the world is found no more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from emulator import Emulator
from tests.emulator.client import NOON, Client


def test_a_removed_post_is_neither_found_nor_counted(emulator: Emulator, client: Client) -> None:
    query = "#zebrafish"
    before, counted = client.search(query).ids, client.total(query)
    emulator.remove(before[0], before[2])
    after = client.search(query).ids
    assert after[: len(before) - 2] == [one for one in before if one not in (before[0], before[2])]
    assert client.total(query) == counted - 2
    emulator.reinstate()
    assert client.search(query).ids == before
    assert client.total(query) == counted


@pytest.mark.parametrize("named", [0, -1])
def test_no_version_of_a_removed_post_is_left(emulator: Emulator, client: Client, named: int) -> None:
    found = client.every("#sre")
    history = next(one["edit_history_tweet_ids"] for one in found if len(one["edit_history_tweet_ids"]) > 1)
    emulator.remove(int(history[named]))
    left = [tweet["edit_history_tweet_ids"] for tweet in client.every("#sre")]
    assert not {version for versions in left for version in versions} & set(history)
    assert len(left) == len(found) - 1


@pytest.mark.parametrize("named", [0, -1])
def test_a_scrubbed_post_stays_without_its_place(emulator: Emulator, client: Client, named: int) -> None:
    before = client.every("#sre has:geo")
    post = before[0]
    emulator.remove(int(post["edit_history_tweet_ids"][named]), reason="scrub_geo")
    after = client.every("#sre", since_id=int(post["id"]) - 1)[-1]
    assert "geo" not in after
    assert {**after, "geo": post["geo"]} == post
    assert [tweet["id"] for tweet in client.every("#sre has:geo")] == [tweet["id"] for tweet in before[1:]]
    emulator.reinstate()
    assert client.every("#sre has:geo") == before


def test_a_removed_post_is_not_included_where_another_refers_to_it(emulator: Emulator, client: Client) -> None:
    def included() -> list[int]:
        page = client.search("#devops", expansions="referenced_tweets.id").body
        return [int(tweet["id"]) for tweet in page["includes"]["tweets"]]

    before = included()
    emulator.remove(before[0])
    assert included() == before[1:]


def test_removals_are_set_added_shown_and_cleared_over_http(client: Client) -> None:
    first, second, third = client.search("#devops").ids[:3]
    client.control("PUT", "/removals", {"ids": [str(first)]})
    removals = client.control("POST", "/removals", {"ids": [second], "reason": "protected"}).body["removals"]
    told, at = ((first, "deleted"), (second, "protected")), "2026-11-24T12:00:00.000Z"
    assert removals == [{"id": str(one), "reason": reason, "redacted_at": at} for one, reason in told]
    assert client.search("#devops").ids[0] == third
    assert [one["id"] for one in client.control("PUT", "/removals", {"ids": [str(third)]}).body["removals"]] == [str(third)]
    assert client.search("#devops").ids[:2] == [first, second]
    assert client.control("DELETE", "/removals").body == client.control("GET", "/removals").body == {"removals": []}


def test_a_judge_counts_what_search_would_show(emulator: Emulator, client: Client) -> None:
    start, end = NOON - timedelta(days=3, minutes=17), NOON - timedelta(days=1)
    found = [tweet["id"] for tweet in client.every("#sre", start_time=start.isoformat(), end_time=end.isoformat())]
    assert emulator.count("#sre", start, end) == emulator.count("SRE", start, end) == len(found) > 200
    emulator.remove(int(found[0]))
    assert emulator.count("#sre", start, end) == len(found) - 1
    assert emulator.count("#sre", end, start) == 0
