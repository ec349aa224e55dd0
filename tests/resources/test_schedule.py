"""/schedule over HTTP: chosen over COLLECT_EVERY, kept in the database, and what it costs a month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from emulator import Emulator
from models import HourlyCount, Tag
from queries.counters import x_now
from tests.fixtures.service import Service
from tests.resources.conftest import Json, Start, given, problem

HOUR_S = 3600
OFF: Json = {"every": None, "next": None, "usd_per_month": None}


def put(service: Service, every: object) -> Json:
    answer = service.request("PUT", "/schedule", json={"every": every})
    assert answer.status_code == 200, answer.text
    shown: Json = answer.json()
    assert given(service, "/schedule").keys() == shown.keys()
    return shown


def add_counts(service: Service, an_hour: int, *, tag: str) -> None:
    """Store counts of X for the last seven days."""
    with service.collector.database.writing() as session:
        now = int(x_now(session).timestamp()) // HOUR_S * HOUR_S
        row = session.query(Tag).filter(Tag.tag == tag).one()
        for hour in range(1, 169):
            values = {"rules": row.rules, "counted": an_hour, "asked_at": datetime.now(UTC)}
            session.merge(HourlyCount(tag_id=row.id, start=now - hour * HOUR_S, **values))


@pytest.mark.dialects
def test_a_choice_is_over_the_setting_and_survives_a_restart(start: Start) -> None:
    with start(COLLECT_EVERY="90m") as service:
        shown = given(service, "/schedule")
        assert (shown["every"], shown["set_by"]) == ("90m", "setting")
        assert (put(service, "60m")["every"], put(service, "60m")["set_by"]) == ("60m", "api")
        assert put(service, None) == OFF | {"set_by": "api"}
    with start(COLLECT_EVERY="90m") as service:
        assert given(service, "/schedule") == OFF | {"set_by": "api"}
        answer = service.request("DELETE", "/schedule")
        assert (answer.status_code, answer.content) == (204, b"")
        assert given(service, "/schedule") == shown | {"next": given(service, "/schedule")["next"]}


def test_without_a_choice_or_a_setting_there_is_no_schedule(fresh: Service) -> None:
    assert given(fresh, "/schedule") == OFF | {"set_by": "setting"}


def test_the_next_collection_is_due_an_interval_after_the_newest(fresh: Service) -> None:
    given(fresh, "/database")
    started = datetime.fromisoformat(given(fresh, "/collections")["collections"][0]["started"])
    due = datetime.fromisoformat(put(fresh, "2h")["next"])
    assert abs(due - started - timedelta(hours=2)) <= timedelta(seconds=1)


def test_the_cost_is_the_worst_case_without_counts_and_else_by_them_up_to_the_limit(start: Start) -> None:
    with start(TAGS="#devops,#sre", TW_NUMBER="100") as service:
        worst = put(service, "1h")["usd_per_month"]
        assert worst == {"floor": 2 * 100 * 720 * 0.005, "ceiling": 2 * 100 * 720 * 0.015}
        assert put(service, "2h")["usd_per_month"]["floor"] == worst["floor"] / 2
        add_counts(service, 10, tag="#devops")
        assert put(service, "1h")["usd_per_month"]["floor"] == (10 + 100) * 720 * 0.005
        assert put(service, "1d")["usd_per_month"]["floor"] == (100 + 100) * 30 * 0.005


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'"1h"', b'{"every":"1h","tz":"UTC"}'])
def test_a_body_that_is_no_schedule_is_400(fresh: Service, body: bytes) -> None:
    assert problem(fresh.request("PUT", "/schedule", data=body), 400)["errors"]


@pytest.mark.parametrize(
    "every", ["4m", "299s", "0h", "1", "h", "1w", "-1h", "1h ", "off", 3600, True, ["1h"], "367d", "\u0661h"]
)
def test_an_interval_that_is_none_is_400_and_changes_nothing(service: Service, every: object) -> None:
    (error,) = problem(service.request("PUT", "/schedule", json={"every": every}), 400)["errors"]
    assert error["parameter"] == "every"
    assert error["detail"].startswith("expected a number followed by s, m, h or d, such as 1h, at least 5m")
    assert given(service, "/schedule")["set_by"] == "setting"


def test_a_token_that_may_only_read_changes_no_schedule(start: Start, emulator: Emulator) -> None:
    tokens = {"API_TOKEN": "w" * 40, "API_READ_TOKEN": "r" * 40}
    reader = {"Authorization": f"Bearer {tokens['API_READ_TOKEN']}"}
    with start(**tokens) as service:
        assert service.request("GET", "/schedule", headers=reader).status_code == 200
        for method, path in (("PUT", "/schedule"), ("DELETE", "/schedule"), ("PUT", "/views/a"), ("POST", "/backfills")):
            problem(service.request(method, path, headers=reader), 403)
