"""/backfills over HTTP: the price first, and a purchase that stays within it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from collector.x import client
from emulator import Emulator
from tests.fixtures.clocks import standing
from tests.fixtures.service import Service
from tests.resources.conftest import Json, Start, given, problem

SINCE, UNTIL = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 4, tzinfo=UTC)
PERIOD: Json = {"since": "2026-09-01", "until": "2026-09-04T00:00:00Z"}
PAGE = 100
MICRO = 1_000_000


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A pretend X with fewer tweets, whose archive answers as often as it is asked."""
    monkeypatch.setattr(client, "ARCHIVE_EVERY_S", 0.0)
    with standing(tweets=10_000) as running:
        yield running


@pytest.fixture
def fresh(start: Start) -> Iterator[Service]:
    with start(TAGS="#devops,#sre", TW_NUMBER="10", MONTHLY_BUDGET_USD="off") as running:
        yield running


def post(service: Service, **body: object) -> Any:
    return service.request("POST", "/backfills", json=PERIOD | body)


def quoted(service: Service, **body: object) -> Json:
    answer = post(service, **body)
    assert answer.status_code == 200, answer.text
    shown: Json = answer.json()
    return shown


def bought(service: Service, **body: object) -> Json:
    """Buy a backfill and return the collection once it is over."""
    answer = post(service, **body)
    assert answer.status_code == 202, answer.text
    service.until(lambda: given(service, answer.headers["Location"])["state"] != "running")
    done: Json = given(service, answer.headers["Location"])
    return done


def test_a_price_asks_x_for_nothing_and_names_the_hours_without_a_count(fresh: Service, emulator: Emulator) -> None:
    shown = quoted(fresh)
    assert shown == {
        "tweets": 0,
        "usd": {"floor": 0, "ceiling": 1.5},  # a page, with an author for each tweet: the most that it buys unasked
        "uncounted": [{"tag": "#devops", "hours": 72}, {"tag": "#sre", "hours": 72}],
        "count_usd": 0.08,
    }
    assert quoted(fresh, tags=["SRE"])["uncounted"] == [{"tag": "#sre", "hours": 72}]
    assert emulator.requests == []


@pytest.mark.dialects
def test_counts_make_the_price_exact_and_it_is_bought_for_that_amount(fresh: Service, emulator: Emulator) -> None:
    known = emulator.count("#sre", SINCE, UNTIL)
    counted = quoted(fresh, tags=["#sre"], count=True, max_usd=1)
    assert counted == {
        "tweets": known,
        "usd": {"floor": known * 5000 / MICRO, "ceiling": known * 15_000 / MICRO},
        "uncounted": [],
        "count_usd": 0,
    }
    assert given(fresh, "/tweets")["tweets"] == []
    cents_less = problem(post(fresh, tags=["#sre"], max_usd=counted["usd"]["ceiling"] - 0.01), 409)
    assert (cents_less["usd"], cents_less["tweets"]) == (counted["usd"], known)
    assert given(fresh, "/collections")["collections"] == []
    collection = bought(fresh, tags=["#sre"], max_usd=counted["usd"]["ceiling"])
    assert (collection["state"], collection["tweets_added"]) == ("done", known)
    assert [tag["tag"] for tag in collection["tags"]] == ["#sre"]
    assert quoted(fresh, tags=["#sre"])["tweets"] == 0
    assert emulator.ledger.twice() == {}


def test_counts_that_cost_more_than_allowed_are_not_made(fresh: Service, emulator: Emulator) -> None:
    problem(post(fresh, count=True, max_usd=0.07), 409)
    assert emulator.requests == []
    (error,) = problem(post(fresh, count=True), 400)["errors"]
    assert error["parameter"] == "max_usd"


def test_what_x_did_not_count_is_bought_up_to_a_page_beyond_the_price(fresh: Service, emulator: Emulator) -> None:
    assert emulator.count("#sre", SINCE, UNTIL) > 2 * PAGE
    refused = problem(post(fresh, tags=["#sre"], max_usd=1.49), 409)
    assert (refused["tweets"], refused["usd"]) == (0, {"floor": 0, "ceiling": 1.5})
    collection = bought(fresh, tags=["#sre"], max_usd=1.5)
    assert collection["state"] == "failed"
    assert collection["spend"]["posts"] == emulator.ledger.total().posts_billed == PAGE
    assert "because X has more than it counted" in collection["error"]
    assert quoted(fresh, tags=["#sre"])["tweets"] > 0  # by the hours that were read


def test_a_tag_that_must_be_collected_first_is_409(fresh: Service, emulator: Emulator) -> None:
    given(fresh, "/database")
    emulator.clock.advance(9 * 86400)
    late = {"since": f"{emulator.clock.now():%Y-%m-%d}", "until": "2036-09-01", "tags": ["#sre"]}
    refused = problem(post(fresh, **late, count=True, max_usd=1), 409)  # counting tells X's time
    assert refused["detail"].startswith("#sre: it was last collected on 20")
    assert "collect once" in problem(post(fresh, **late, max_usd=1), 409)["detail"]


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"since": None}, "since"),
        ({"since": "2010-11-04"}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"until": 7}, "until"),
        ({"until": "2026-09-01"}, "until"),
        ({"tags": []}, "tags"),
        ({"tags": "#sre"}, "tags"),
        ({"tags": ["no tag"]}, "tags"),
        ({"tags": ["#rust"]}, "tags"),
        ({"max_usd": -1}, "max_usd"),
        ({"max_usd": "1"}, "max_usd"),
        ({"max_usd": True}, "max_usd"),
        ({"count": 1}, "count"),
        ({"yes": True}, "yes"),
    ],
)
def test_a_wrong_body_is_400_and_names_the_key(service: Service, body: Json, parameter: str) -> None:
    assert [error["parameter"] for error in problem(post(service, **body), 400)["errors"]] == [parameter]


def test_since_and_until_are_required(service: Service) -> None:
    refused = problem(service.request("POST", "/backfills", json={}), 400)
    assert [error["parameter"] for error in refused["errors"]] == ["since", "until"]
