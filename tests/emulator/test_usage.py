"""X's own count of what it billed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from emulator import Emulator
from emulator.endpoints.account import month_start, next_month
from tests.emulator.client import NOON, USAGE, Client, Json

EVERYTHING = "cap_reset_day,daily_client_app_usage,daily_project_usage,project_cap,project_id,project_usage"
BOUGHT = {23: 100, 24: 20, 25: 10}


def usage(client: Client, **params: Any) -> Json:
    data: Json = client.get(USAGE, **params).body["data"]
    return data


@pytest.fixture
def midmonth() -> Iterator[Emulator]:
    """One whose billing month begins on the 24th, in which it bought 100, 20 and 10 posts on three days."""
    with Emulator(seed=1, now=NOON, billing_day=24) as running:
        client = Client(running.port)
        for day, posts in BOUGHT.items():
            running.clock.set(datetime(2026, 11, day, 12, tzinfo=UTC))
            client.search("#devops", max_results=posts)
        yield running


def test_by_default_it_tells_the_month_without_its_days(client: Client) -> None:
    for _ in range(2):
        client.search("#devops")  # a post that is bought twice in a day is counted once
    assert usage(client) == {"cap_reset_day": 7, "project_cap": "3000000", "project_id": "1", "project_usage": "100"}


def test_only_the_billing_month_counts(midmonth: Emulator) -> None:
    client = Client(midmonth.port)
    assert usage(client) == {"cap_reset_day": 29, "project_cap": "3000000", "project_id": "1", "project_usage": "30"}
    midmonth.clock.set(datetime(2026, 12, 24, tzinfo=UTC))
    assert (usage(client)["project_usage"], usage(client)["cap_reset_day"]) == ("0", 31)


def test_the_days_are_told_on_request(midmonth: Emulator) -> None:
    client = Client(midmonth.port)
    daily = [{"date": f"2026-11-{day}T00:00:00.000Z", "usage": str(posts)} for day, posts in BOUGHT.items()]
    data = usage(client, **{"usage.fields": EVERYTHING})
    assert list(data) == EVERYTHING.split(",")
    assert data["daily_project_usage"] == {"project_id": "1", "usage": daily}
    assert data["daily_client_app_usage"] == [{"client_app_id": "10000001", "usage": daily, "usage_result_count": 3}]
    two = usage(client, days=2, **{"usage.fields": "daily_project_usage"})
    assert two == {"daily_project_usage": {"project_id": "1", "usage": daily[1:]}}


def test_it_may_drift_from_what_was_sold(emulator: Emulator, client: Client) -> None:
    client.search("#devops")
    assert client.control("PUT", "/usage", {"drift": 25}).body == client.control("GET", "/usage").body == {"drift": 25}
    data = usage(client, **{"usage.fields": EVERYTHING})
    assert (data["project_usage"], data["daily_project_usage"]["usage"][0]["usage"]) == ("125", "125")
    assert emulator.ledger.total().posts_billed == 100
    for drift, told in ((-30, "70"), (-300, "0")):
        emulator.drift(drift)
        assert usage(client)["project_usage"] == told
    assert client.control("DELETE", "/usage").body == {"drift": 0}
    assert usage(client)["project_usage"] == "100"


def test_it_has_a_limit_of_50_and_costs_nothing(client: Client, emulator: Emulator) -> None:
    replies = [client.get(USAGE) for _ in range(51)]
    assert [reply.status for reply in replies] == [200] * 50 + [429]
    assert replies[0].headers["x-rate-limit-limit"] == "50"
    assert replies[0].body["data"]["project_usage"] == "0"
    assert not any(emulator.ledger.total())


def test_a_billing_month_begins_on_its_day_or_the_last_of_a_short_month() -> None:
    for day, billing_day, first, following in (
        ("2026-11-24", 24, "2026-11-24", "2026-12-24"),
        ("2026-11-24", 25, "2026-10-25", "2026-11-25"),
        ("2026-03-01", 31, "2026-02-28", "2026-03-31"),
        ("2026-02-27", 31, "2026-01-31", "2026-02-28"),
        ("2026-01-05", 10, "2025-12-10", "2026-01-10"),
    ):
        start = month_start(date.fromisoformat(day), billing_day)
        assert (str(start), str(next_month(start, billing_day))) == (first, following)


def test_it_may_tell_the_day_of_the_month_as_users_report(midmonth: Emulator) -> None:
    midmonth.settings.reset_as_day = True
    assert usage(Client(midmonth.port))["cap_reset_day"] == 24
