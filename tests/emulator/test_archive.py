"""Search in the whole archive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator import Emulator
from tests.emulator.client import COUNTS, COUNTS_ALL, NOON, SEARCH, SEARCH_ALL, USUAL, Client, made, snowflake

FROM, TO = datetime(2019, 3, 1, tzinfo=UTC), datetime(2019, 3, 3, tzinfo=UTC)
OLD: dict[str, Any] = {"start_time": "2019-03-01T00:00:00Z", "end_time": "2019-03-03T00:00:00Z"}


def all_ids(reader: Client, query: str, **bounds: Any) -> list[int]:
    pages = reader.listed(SEARCH_ALL, query=query, max_results=500, **bounds)
    return [one for page in pages for one in page.ids]


def test_the_archive_agrees_with_recent_search_about_the_last_days(reader: Client) -> None:
    asked = {"query": "#sre lang:en", "start_time": "2026-11-18T00:00:00Z", "end_time": "2026-11-23T00:00:00Z"}
    found = [page.body.get("data", []) for page in reader.listed(SEARCH_ALL, max_results=500, **asked, **USUAL)]
    assert [tweet for page in found for tweet in page] == reader.every(**asked)


def test_a_listing_of_an_old_stretch_holds_all_its_posts_newest_first(shared: Emulator, reader: Client) -> None:
    ids = all_ids(reader, "#devops", **OLD)
    assert ids == sorted(set(ids), reverse=True)
    assert FROM <= made(ids[-1]) < made(ids[0]) < TO
    assert len(ids) == shared.count("#devops", FROM, TO) > 500
    assert reader.get(SEARCH_ALL, query="#devops", max_results=500, **OLD).ids == ids[:500]
    assert reader.get(SEARCH_ALL, query="#devops", max_results=500, since_id=ids[9], until_id=ids[0]).ids == ids[1:9]


@pytest.mark.parametrize(
    ("bounds", "end"),
    [
        ({}, NOON - timedelta(seconds=30)),
        ({"end_time": "2020-05-31T00:00:00Z"}, datetime(2020, 5, 31, tzinfo=UTC)),
        ({"until_id": snowflake(datetime(2020, 5, 31, tzinfo=UTC))}, datetime(2020, 5, 31, tzinfo=UTC)),
    ],
)
def test_without_a_beginning_it_covers_thirty_days(
    shared: Emulator, reader: Client, bounds: dict[str, Any], end: datetime
) -> None:
    ids = all_ids(reader, "#remediation", **bounds)
    assert len(ids) == shared.count("#remediation", end - timedelta(days=30), end)
    assert end - timedelta(days=30) <= made(ids[-1]) < end - timedelta(days=29)


def test_the_world_begins_with_the_ids_that_carry_their_time(reader: Client) -> None:
    ids = all_ids(reader, "#devops", start_time="2006-03-26T00:00:00Z", end_time="2010-11-05T00:00:00Z")
    assert ids == sorted(set(ids), reverse=True)
    assert datetime(2010, 11, 4, 2, tzinfo=UTC) <= made(ids[-1]) < datetime(2010, 11, 4, 6, tzinfo=UTC)
    before = reader.get(SEARCH_ALL, query="#devops", start_time="2006-03-26T00:00:00Z", end_time="2010-11-04T00:00:00Z")
    assert before.body == {"meta": {"result_count": 0}}


def test_a_query_may_have_1024_characters_where_recent_search_takes_512(reader: Client) -> None:
    query = "#devops OR " + "a" * 1013
    assert [reader.get(path, query=query).status for path in (SEARCH_ALL, SEARCH)] == [200, 400]


def test_a_token_is_good_at_its_own_endpoint_only(reader: Client) -> None:
    for path in (SEARCH_ALL, SEARCH):
        token = reader.get(path, query="#devops").body["meta"]["next_token"]
        for other in (SEARCH_ALL, SEARCH, COUNTS_ALL, COUNTS):
            assert reader.get(other, query="#devops", next_token=token).status == (200 if other == path else 400)


def test_its_posts_are_sold_like_those_of_recent_search(emulator: Emulator, client: Client) -> None:
    page = client.get(SEARCH_ALL, query="#devops", max_results=500, expansions="author_id", **OLD)
    total = emulator.ledger.total()
    assert (total.posts_billed, total.users_billed) == (500, len(page.body["includes"]["users"]))
    assert emulator.ledger.posts() == frozenset(page.ids)


def test_it_takes_one_request_a_second_and_has_a_limit_for_fifteen_minutes() -> None:
    with Emulator(seed=1, now=NOON, archive_limit=3) as paced:
        client = Client(paced.port)
        replies = [client.get(SEARCH_ALL, query="#devops") for _ in range(2)]
        assert [reply.status for reply in replies] == [200, 429]
        assert int(replies[1].headers["x-rate-limit-reset"]) == paced.clock.now().timestamp() + 1
        assert (replies[1].headers["x-rate-limit-limit"], replies[1].headers["x-rate-limit-remaining"]) == ("1", "0")
        assert [client.get(path, query="#devops").status for path in (COUNTS_ALL, COUNTS_ALL, SEARCH)] == [200, 429, 200]
        paced.clock.advance(1)
        assert client.get(SEARCH_ALL, query="#devops").headers["x-rate-limit-remaining"] == "1"
        for seconds, status in ((1, 200), (1, 429), (900, 200)):
            paced.clock.advance(seconds)
            assert client.get(SEARCH_ALL, query="#devops").status == status
