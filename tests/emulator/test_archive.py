"""Search in the whole archive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator import Emulator
from tests.emulator.conftest import Client

ALL = "/2/tweets/search/all"
RECENT = "/2/tweets/search/recent"
EPOCH_MS = 1288834974657
OLD: dict[str, Any] = {"start_time": "2019-03-01T00:00:00Z", "end_time": "2019-03-04T00:00:00Z"}


def snowflake(at: datetime) -> int:
    return (round(at.timestamp() * 1000) - EPOCH_MS) << 22


def at(post_id: int) -> datetime:
    return datetime.fromtimestamp(((post_id >> 22) + EPOCH_MS) / 1000, tz=UTC)


@pytest.fixture
def paced(noon: datetime) -> Iterator[Emulator]:
    with Emulator(seed=1, now=noon, archive_limit=3) as running:
        yield running


@pytest.mark.parametrize("query", ["#devops", "#zebrafish", "#sre lang:en"])
def test_the_archive_agrees_with_recent_search_about_the_last_days(reader: Client, usual: dict[str, Any], query: str) -> None:
    bounds = {"start_time": "2026-11-18T00:00:00Z", "end_time": "2026-11-23T00:00:00Z"}
    found = [page.body.get("data", []) for page in reader.listed(ALL, query=query, max_results=500, **bounds, **usual)]
    assert [tweet for page in found for tweet in page] == reader.every(query, **bounds)


def test_a_listing_of_an_old_stretch_holds_all_its_posts_newest_first(shared: Emulator, reader: Client) -> None:
    pages = reader.listed(ALL, query="#devops", max_results=500, **OLD)
    ids = [one for page in pages for one in page.ids]
    assert ids == sorted(set(ids), reverse=True)
    assert datetime(2019, 3, 1, tzinfo=UTC) <= at(ids[-1]) < at(ids[0]) < datetime(2019, 3, 4, tzinfo=UTC)
    assert len(ids) == shared.count("#devops", datetime(2019, 3, 1, tzinfo=UTC), datetime(2019, 3, 4, tzinfo=UTC)) > 1000
    assert len(pages[0].ids) == 500


def test_ids_bound_it_as_times_do(reader: Client) -> None:
    ids = reader.get(ALL, query="#devops", max_results=500, **OLD).ids
    within = reader.get(ALL, query="#devops", max_results=500, since_id=ids[9], until_id=ids[0]).ids
    assert within == ids[1:9]
    assert reader.get(ALL, query="#devops", since_id=1, until_id=ids[0]).ids == ids[1:11]


@pytest.mark.parametrize(
    ("bounds", "end"),
    [
        ({}, datetime(2026, 11, 24, 11, 59, 30, tzinfo=UTC)),
        ({"end_time": "2020-05-31T00:00:00Z"}, datetime(2020, 5, 31, tzinfo=UTC)),
        ({"until_id": snowflake(datetime(2020, 5, 31, tzinfo=UTC))}, datetime(2020, 5, 31, tzinfo=UTC)),
    ],
)
def test_without_a_beginning_it_covers_the_thirty_days_before_its_end(
    shared: Emulator, reader: Client, bounds: dict[str, Any], end: datetime
) -> None:
    pages = reader.listed(ALL, query="#remediation", max_results=500, **bounds)
    ids = [one for page in pages for one in page.ids]
    assert len(ids) == shared.count("#remediation", end - timedelta(days=30), end)
    assert end - timedelta(days=30) <= at(ids[-1]) < end - timedelta(days=29)


def test_the_world_begins_with_the_ids_that_carry_their_time(reader: Client) -> None:
    beginning: dict[str, Any] = {"start_time": "2006-03-26T00:00:00Z", "end_time": "2010-11-06T00:00:00Z"}
    ids = [one for page in reader.listed(ALL, query="#devops", max_results=500, **beginning) for one in page.ids]
    assert ids == sorted(set(ids), reverse=True)
    assert datetime(2010, 11, 4, 2, tzinfo=UTC) <= at(ids[-1]) < datetime(2010, 11, 4, 6, tzinfo=UTC)
    before = reader.get(ALL, query="#devops", start_time="2006-03-26T00:00:00Z", end_time="2010-11-04T00:00:00Z")
    assert before.body == {"meta": {"result_count": 0}}


@pytest.mark.parametrize(
    "params",
    [
        {"max_results": 9},
        {"max_results": 501},
        {"query": "a" * 1025},
        {"start_time": "2006-03-25T23:59:59Z"},
        {"end_time": "2026-11-24T11:59:55Z"},
        {"since_id": "1", "start_time": "2019-03-01T00:00:00Z"},
        {"granularity": "day"},
    ],
)
def test_what_x_refuses_is_an_invalid_request(reader: Client, params: dict[str, Any]) -> None:
    reply = reader.get(ALL, **{"query": "#devops", **params})
    assert (reply.status, reply.body["title"]) == (400, "Invalid Request")


def test_a_query_may_have_1024_characters_where_recent_search_takes_512(reader: Client) -> None:
    query = "#devops OR " + "a" * 1013
    assert reader.get(ALL, query=query).status == 200
    assert reader.get(RECENT, query=query).status == 400
    assert len(reader.get(ALL, query="#devops").ids) == 10


def test_a_token_is_good_at_its_own_endpoint_only(reader: Client) -> None:
    paths = (ALL, RECENT, "/2/tweets/counts/all", "/2/tweets/counts/recent")
    for path in (ALL, RECENT):
        token = reader.get(path, query="#devops").body["meta"]["next_token"]
        statuses = {other: reader.get(other, query="#devops", next_token=token).status for other in paths}
        assert statuses == {other: 200 if other == path else 400 for other in paths}


def test_it_wants_a_bearer_token(reader: Client, oauth1: dict[str, str]) -> None:
    reply = reader.get(ALL, query="#devops", headers=oauth1)
    assert (reply.status, reply.body["title"]) == (403, "Unsupported Authentication")
    assert reader.get(ALL, query="#devops", headers={}).status == 401


def test_its_posts_are_sold_like_those_of_recent_search(emulator: Emulator, client: Client) -> None:
    page = client.get(ALL, query="#devops", max_results=500, expansions="author_id", **OLD)
    total = emulator.ledger.total()
    assert (total.posts_billed, total.users_billed) == (500, len(page.body["includes"]["users"]))
    assert emulator.ledger.posts() == frozenset(page.ids)


def test_a_second_request_in_the_same_second_is_refused(paced: Emulator, reader: Client) -> None:
    client = type(reader)(paced.port)
    replies = [client.get(ALL, query="#devops") for _ in range(2)]
    assert [reply.status for reply in replies] == [200, 429]
    assert int(replies[1].headers["x-rate-limit-reset"]) == paced.clock.now().timestamp() + 1
    assert (replies[1].headers["x-rate-limit-limit"], replies[1].headers["x-rate-limit-remaining"]) == ("1", "0")
    assert client.get("/2/tweets/counts/all", query="#devops").status == 200
    assert client.get(RECENT, query="#devops").status == 200
    paced.clock.advance(1)
    assert client.get(ALL, query="#devops").headers["x-rate-limit-remaining"] == "1"


def test_it_has_a_limit_of_its_own_for_fifteen_minutes(paced: Emulator, reader: Client) -> None:
    client, statuses = type(reader)(paced.port), []
    for _ in range(4):
        statuses.append(client.get(ALL, query="#devops").status)
        paced.clock.advance(1)
    assert statuses == [200, 200, 200, 429]
    paced.clock.advance(900)
    assert client.get(ALL, query="#devops").status == 200


def test_a_removed_post_is_gone_from_the_archive(emulator: Emulator, client: Client) -> None:
    ids = client.get(ALL, query="#devops", **OLD).ids
    emulator.remove(ids[0])
    emulator.reset_limits()
    assert client.get(ALL, query="#devops", **OLD).ids[:9] == ids[1:]


def test_its_pages_have_faults_of_their_own(emulator: Emulator, client: Client) -> None:
    emulator.plan("server_503", endpoint="search_all")
    emulator.plan("duplicate_post", endpoint="search_all")
    assert client.search("#devops").status == 200
    assert client.get(ALL, query="#devops").status == 503
    emulator.reset_limits()
    ids = client.get(ALL, query="#devops").ids
    assert (len(ids), ids[-1]) == (11, ids[0])
