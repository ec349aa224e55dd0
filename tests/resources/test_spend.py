"""/spend over HTTP: what X sold by UTC day of X's clock and by billing month, the budget, and the outlook."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.resources.conftest import QUIET
from tests.resources.test_errors import problem

Json = dict[str, Any]
CONTRACTED = ["posts", "users", "floor_usd", "ceiling_usd"]
NEW_YEARS_EVE = datetime(2025, 12, 31, 22, 0, tzinfo=UTC)
TREND_DAYS = 7


@pytest.fixture(scope="module")
def x() -> Iterator[Emulator]:
    """An emulator whose clock stands still."""
    with Emulator() as emulator:
        emulator.clock.hold()
        yield emulator


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, x: Emulator, database_backend: str) -> Iterator[Server]:
    """The service after one collection."""
    folder = tmp_path_factory.mktemp("spend")
    with serving(folder, **environment(folder, x)) as server:
        assert server.get("/database").status_code == 200
        yield server


def spend(server: Server) -> Json:
    answer = server.get("/spend")
    assert answer.status_code == 200
    shown: Json = answer.json()
    return shown


def sums(part: Json) -> list[float]:
    return [part[name] for name in CONTRACTED]


def sold(emulator: Emulator, day: str) -> list[float]:
    """Return what the emulator sold on a day, as its own ledger has it."""
    sales = emulator.ledger.days()[day]
    return [sales.posts_billed, sales.users_billed, sales.floor / 1000, sales.ceiling / 1000]


def test_spend_has_the_contracted_keys(service: Server) -> None:
    answer = service.get("/spend")
    assert answer.headers["Content-Type"] == "application/json"
    assert list(answer.json()) == ["today", "month", "budget_usd", "forecast_usd", "by_x"]
    for part in ("today", "month"):
        assert answer.json()[part].keys() >= set(CONTRACTED)
        assert all(type(answer.json()[part][name]) is int for name in ("posts", "users"))
        assert all(type(answer.json()[part][name]) is float for name in ("floor_usd", "ceiling_usd"))


def test_before_anything_was_bought_all_is_zero(server: Server) -> None:
    shown = spend(server)
    assert sums(shown["today"]) == sums(shown["month"]) == [0, 0, 0, 0]
    assert (shown["budget_usd"], shown["forecast_usd"]) == (20, 0)


def test_spend_is_what_x_sold_and_what_the_collection_says(service: Server, x: Emulator) -> None:
    shown = spend(service)
    (day,) = x.ledger.days()
    assert shown["today"]["date"] == day
    assert sums(shown["today"]) == sums(shown["month"]) == pytest.approx(sold(x, day))
    assert sums(service.get("/collections/1").json()["spend"]) == sums(shown["today"])
    assert shown["today"]["posts"] > 0


def test_the_floor_is_the_posts_and_the_ceiling_has_the_authors_too(service: Server) -> None:
    today = spend(service)["today"]
    assert today["floor_usd"] == pytest.approx(today["posts"] * 0.005)
    assert today["ceiling_usd"] == pytest.approx(today["posts"] * 0.005 + today["users"] * 0.010)


def test_the_forecast_goes_on_as_in_the_last_seven_days(service: Server) -> None:
    shown = spend(service)
    left = (date.fromisoformat(shown["month"]["end"]) - date.fromisoformat(shown["today"]["date"])).days - 1
    ceiling = shown["month"]["ceiling_usd"]
    assert shown["forecast_usd"] == pytest.approx(ceiling + ceiling * left / TREND_DAYS, abs=1e-5)


def test_an_unknown_parameter_is_400(service: Server) -> None:
    refused = problem(service.get("/spend?month=2026-01"), 400)
    assert [error["parameter"] for error in refused["errors"]] == ["month"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_405(service: Server, method: str) -> None:
    answer = service.request(method, "/spend")
    problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_what_was_bought_today_costs_nothing_again_and_dropping_forgets_no_spend(server: Server, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    assert server.get("/database").status_code == 200
    before = spend(server)
    assert server.request("DELETE", "/database").status_code == 200
    assert spend(server) == before
    again = server.get("/database").json()["collection"]
    assert again["tweets_added"] > 0
    assert sums(again["spend"]) == [0, 0, 0, 0]
    assert spend(server) == before
    (day,) = emulator.ledger.days()
    assert sums(before["today"]) == pytest.approx(sold(emulator, day))


def test_days_and_months_are_those_of_xs_clock_in_utc(server: Server, emulator: Emulator) -> None:
    emulator.clock.hold(NEW_YEARS_EVE)
    assert server.get("/database").status_code == 200
    old = spend(server)
    assert (old["today"]["date"], old["month"]["start"], old["month"]["end"]) == ("2025-12-31", "2025-12-01", "2026-01-01")
    assert sums(old["today"]) == pytest.approx(sold(emulator, "2025-12-31"))
    assert old["forecast_usd"] == old["month"]["ceiling_usd"]
    emulator.clock.advance(12 * 3600)
    for _ in range(2):  # the first one learns X's time
        assert server.get("/database").status_code == 200
    new = spend(server)
    assert (new["today"]["date"], new["month"]["start"], new["month"]["end"]) == ("2026-01-01", "2026-01-01", "2026-02-01")
    assert sums(new["today"]) == sums(new["month"]) == pytest.approx(sold(emulator, "2026-01-01"))
    assert new["today"]["posts"] > 0


@pytest.mark.parametrize(("day", "start", "end"), [("1", "2025-12-01", "2026-01-01"), ("15", "2025-12-15", "2026-01-15")])
def test_the_month_begins_on_the_billing_day(tmp_path: Path, emulator: Emulator, day: str, start: str, end: str) -> None:
    emulator.clock.hold(NEW_YEARS_EVE)
    settings = environment(tmp_path, emulator) | {"BILLING_DAY": day, "MONTHLY_BUDGET_USD": "off", "TW_NUMBER": "10"}
    with serving(tmp_path, **settings) as server:
        assert server.get("/database").status_code == 200
        shown = spend(server)
    assert (shown["month"]["start"], shown["month"]["end"]) == (start, end)
    assert shown["budget_usd"] is None


def test_the_budget_is_never_exceeded(tmp_path: Path, emulator: Emulator) -> None:
    settings = environment(tmp_path, emulator) | {"MONTHLY_BUDGET_USD": "1.5"}
    with serving(tmp_path, **settings) as server:
        collection = server.get("/database").json()["collection"]
        assert "MONTHLY_BUDGET_USD" in collection["error"]
        assert any(tag["state"] == "failed" and "budget" in tag["reason"] for tag in collection["tags"])
        shown = spend(server)
    assert shown["budget_usd"] == 1.5
    assert 0 < shown["month"]["ceiling_usd"] <= 1.5
    assert emulator.ledger.total().ceiling <= 1500


def test_a_page_whose_answer_never_came_counts_against_the_budget_and_is_told(tmp_path: Path, emulator: Emulator) -> None:
    emulator.plan("cut", times=None, tag="#sre")
    with serving(tmp_path, **environment(tmp_path, emulator) | {"TAGS": "#sre", "TW_NUMBER": "10"}) as server:
        assert server.get("/database").status_code == 503
        shown = spend(server)
    assert sums(shown["month"]) == [0, 0, 0, 0]
    assert shown["month"]["unsettled_usd"] == pytest.approx(10 * 0.015)
    assert shown["forecast_usd"] >= shown["month"]["unsettled_usd"]
