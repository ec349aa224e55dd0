"""The ledger: what was sold, when, and how often."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from emulator import Emulator
from tests.emulator.client import USUAL, Client
from tests.fixtures.waiting import wait_until


def test_a_post_is_billed_once_a_utc_day_and_served_every_time(emulator: Emulator, client: Client) -> None:
    for _ in range(3):
        client.search("#devops")
    day = client.control("GET", "/ledger").body["days"]["2026-11-24"]
    assert (day["posts_billed"], day["posts_served"], day["requests"]) == (100, 300, 3)
    assert client.control("GET", "/ledger").body["twice"] == []
    assert emulator.ledger.total().floor == 500


def test_a_page_read_again_after_a_utc_midnight_is_bought_twice(emulator: Emulator, client: Client) -> None:
    emulator.clock.set(datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC))
    before = client.search("#devops").ids
    emulator.clock.advance(2)
    after = client.search("#devops").ids
    ledger = client.control("GET", "/ledger").body
    bought_twice = sorted(set(before) & set(after))
    assert ledger["twice"] == [{"id": str(one), "days": ["2026-11-24", "2026-11-25"]} for one in bought_twice]
    assert ledger["total"]["posts_billed"] == 200
    one = client.control("GET", f"/ledger/{bought_twice[0]}").body
    assert one == {"id": str(bought_twice[0]), "billed": 2, "days": {"2026-11-24": 1, "2026-11-25": 1}}
    assert emulator.ledger.twice()[bought_twice[0]] == ("2026-11-24", "2026-11-25")


def test_included_users_are_counted_apart_and_strangers_are_bought(client: Client) -> None:
    page = client.search("#devops", **USUAL)
    total = client.control("GET", "/ledger").body["total"]
    assert total["users_billed"] == len(page.body["includes"]["users"])
    assert total["floor_usd"] == "0.500"
    assert total["ceiling_usd"] == f"{0.5 + total['users_billed'] / 100:.3f}"
    more = client.search("#devops", expansions="referenced_tweets.id").body
    assert client.control("GET", "/ledger").body["total"]["posts_billed"] == 100 + len(more["includes"]["tweets"])


def test_an_empty_page_and_a_failed_call_are_free(emulator: Emulator, client: Client) -> None:
    newest = client.search("#zebrafish").ids[0]
    client.control("DELETE", "/ledger")
    client.search("#zebrafish", since_id=newest)
    client.search("#devops", max_results=3)
    client.search("#devops", headers={})
    emulator.plan("server_503")
    client.search("#devops")
    assert client.control("GET", "/ledger").body["total"]["posts_billed"] == 0


def test_the_ledger_can_be_reset_and_asked_for_a_post(emulator: Emulator, client: Client) -> None:
    client.search("#devops")
    assert client.control("DELETE", "/ledger").body["days"] == {}
    assert emulator.ledger.posts() == frozenset()
    assert client.control("GET", "/ledger/12").body == {"id": "12", "billed": 0, "days": {}}
    assert client.control("GET", "/ledger/twelve").status == 400


@pytest.mark.parametrize("kind", ["cut", "broken_json", "duplicate_post"])
def test_a_page_that_x_answered_is_sold_however_it_arrives(emulator: Emulator, client: Client, kind: str) -> None:
    emulator.plan(kind, seconds=0)
    with suppress(http.client.IncompleteRead):
        client.search("#devops")
    assert emulator.ledger.total().posts_billed == 100


def test_the_date_of_an_answer_is_the_instant_of_its_sale(emulator: Emulator, client: Client) -> None:
    """A slow answer that is sent after midnight belongs to the day on which it was sold."""
    emulator.clock.set(datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC))
    emulator.plan("slow", seconds=0.3)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.search, "#sre")
        wait_until(lambda: emulator.requests)
        emulator.clock.advance(2)
    assert asked.result().headers["date"] == "Tue, 24 Nov 2026 23:59:59 GMT"
    assert list(emulator.ledger.days()) == ["2026-11-24"]
