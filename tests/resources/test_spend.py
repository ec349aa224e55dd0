"""/spend over HTTP: what X sold by UTC day of X's clock and by billing month, the budget, and the outlook."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from emulator import Emulator
from tests.fixtures.readings import settle_authors
from tests.fixtures.service import Service
from tests.resources.conftest import QUIET, Json, Start, given, problem

CONTRACTED = {"posts": int, "users": int, "floor_usd": float, "ceiling_usd": float}
NEW_YEARS_EVE = datetime(2025, 12, 31, 22, 0, tzinfo=UTC)
TREND_DAYS = 7


def spend(service: Service) -> Json:
    shown: Json = given(service, "/spend")
    return shown


def sums(part: Json) -> list[float]:
    return [part[name] for name in CONTRACTED]


def sold(emulator: Emulator, day: str) -> list[float]:
    """Return what the emulator sold on a day, as its own ledger has it."""
    sales = emulator.ledger.days()[day]
    return [sales.posts_billed, sales.users_billed, sales.floor / 1000, sales.ceiling / 1000]


def test_spend_has_the_contracted_keys_and_is_what_x_sold_and_the_collection_says(service: Service, x: Emulator) -> None:
    collection = given(service, "/database")["collection"]
    shown = spend(service)
    about_authors = ["authors", "authors_by", "authors_read"]
    assert list(shown) == ["today", "month", "budget_usd", "forecast_usd", "by_x", *about_authors, "balance", "billing_day"]
    assert shown["authors_read"] == "expand"
    assert shown["billing_day"] == {"setting": None, "by_x": None, "days": [1]}
    assert (shown["authors"], shown["authors_by"], shown["balance"]) == (None, None, None)
    for part in ("today", "month"):
        assert {name: type(shown[part][name]) for name in CONTRACTED} == CONTRACTED
    (day,) = x.ledger.days()
    today = shown["today"]
    assert today["date"] == day
    assert sums(today) == sums(shown["month"]) == sums(collection["spend"]) == pytest.approx(sold(x, day))
    assert today["posts"] > 0
    assert today["floor_usd"] == pytest.approx(today["posts"] * 0.005)
    assert today["ceiling_usd"] == pytest.approx(today["posts"] * 0.005 + today["users"] * 0.010)


@pytest.mark.parametrize("charged", [True, False])
def test_it_tells_whether_x_charges_for_authors_and_by_which_fall_of_the_balance(fresh: Service, charged: bool) -> None:
    settle_authors(fresh.collector.database, charged=charged)
    shown = spend(fresh)
    words = "X charged for authors: $7.35 of $7.41 explained", "X did not charge for authors: $2.45 of $2.46 explained"
    fell, explained, said = (7.41, 7.35, words[0]) if charged else (2.46, 2.45, words[1])
    times = {"since": "2026-11-21T06:00:00Z", "until": "2026-11-22T06:00:00Z"}
    assert shown["authors"] == ("charged" if charged else "free")
    assert shown["authors_by"] == {**times, "fell_usd": fell, "explained_usd": explained, "said": said}
    assert shown["balance"] == {"asked": times["until"], "usd": pytest.approx(92.59 - 2 * fell)}


def test_the_forecast_goes_on_as_in_the_last_seven_days(start: Start, emulator: Emulator) -> None:
    emulator.clock.hold(NEW_YEARS_EVE.replace(day=11))
    with start(TW_NUMBER="10") as service:
        given(service, "/database")
        shown = spend(service)
    left = (date(2026, 1, 1) - date(2025, 12, 11)).days - 1
    ceiling = shown["month"]["ceiling_usd"]
    assert ceiling < shown["forecast_usd"] == pytest.approx(ceiling + ceiling * left / TREND_DAYS, abs=1e-5)


@pytest.mark.dialects
def test_what_was_bought_today_costs_nothing_again_and_dropping_forgets_no_spend(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    nothing = spend(fresh)
    assert sums(nothing["today"]) == sums(nothing["month"]) == [0, 0, 0, 0]
    assert (nothing["budget_usd"], nothing["forecast_usd"]) == (20, 0)
    given(fresh, "/database")
    before = spend(fresh)
    assert fresh.request("DELETE", "/database").status_code == 200
    assert spend(fresh) == before
    again = given(fresh, "/database")["collection"]
    assert again["tweets_added"] > 0
    assert sums(again["spend"]) == [0, 0, 0, 0]
    assert spend(fresh) == before
    (day,) = emulator.ledger.days()
    assert sums(before["today"]) == pytest.approx(sold(emulator, day))


@pytest.mark.dialects
def test_days_and_months_are_those_of_xs_clock_in_utc(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(NEW_YEARS_EVE)
    given(fresh, "/database")
    old = spend(fresh)
    assert (old["today"]["date"], old["month"]["start"], old["month"]["end"]) == ("2025-12-31", "2025-12-01", "2026-01-01")
    assert sums(old["today"]) == pytest.approx(sold(emulator, "2025-12-31"))
    assert old["forecast_usd"] == old["month"]["ceiling_usd"]
    emulator.clock.advance(12 * 3600)
    for _ in range(2):  # the first one learns X's time
        given(fresh, "/database")
    new = spend(fresh)
    assert (new["today"]["date"], new["month"]["start"], new["month"]["end"]) == ("2026-01-01", "2026-01-01", "2026-02-01")
    assert sums(new["today"]) == sums(new["month"]) == pytest.approx(sold(emulator, "2026-01-01"))
    assert new["today"]["posts"] > 0


def test_the_budget_is_never_exceeded_in_a_month_that_begins_on_the_billing_day(start: Start, emulator: Emulator) -> None:
    emulator.clock.hold(NEW_YEARS_EVE)
    with start(BILLING_DAY="15", MONTHLY_BUDGET_USD="1.5") as service:
        collection = given(service, "/database")["collection"]
        shown = spend(service)
    assert "MONTHLY_BUDGET_USD" in collection["error"]
    assert any(tag["state"] == "failed" and "budget" in tag["reason"] for tag in collection["tags"])
    assert (shown["month"]["start"], shown["month"]["end"]) == ("2025-12-15", "2026-01-15")
    assert 0 < shown["month"]["ceiling_usd"] <= shown["budget_usd"] == 1.5
    assert emulator.ledger.total().ceiling <= 1500


def test_a_page_whose_answer_never_came_counts_against_the_budget_and_is_told(start: Start, emulator: Emulator) -> None:
    emulator.plan("cut", times=None, tag="#sre")
    with start(TAGS="#sre", TW_NUMBER="10") as service:
        problem(service.get("/database"), 503)
        shown = spend(service)
    assert sums(shown["month"]) == [0, 0, 0, 0]
    assert shown["month"]["unsettled_usd"] == pytest.approx(10 * 0.015)
    assert shown["forecast_usd"] >= shown["month"]["unsettled_usd"]
