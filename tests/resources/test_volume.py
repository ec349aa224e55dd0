"""/volume over HTTP: what X counted and what is stored, hour by hour, and the coverage that follows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
from tests.resources.conftest import QUIET

Row = dict[str, Any]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
END = QUIET.replace(minute=0)
EDGE = {"since": f"{END - 3 * HOUR:%Y-%m-%dT%H:%M:%SZ}", "until": f"{END:%Y-%m-%dT%H:%M:%SZ}"}

pytestmark = pytest.mark.dialects


@pytest.fixture(scope="module")
def service(folder: Path, x: Emulator) -> Iterator[Service]:
    """The service with the tweets of one collection, which X has counted as well."""
    with in_process(folder, **environment(folder, x) | {"COUNT_EVERY": "1h"}) as running:
        assert running.get("/database").status_code == 200
        running.app.extensions["upkeep"].round()
        assert running.get("/readyz").json()["chores"]["count"]["succeeded"]
        yield running


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def volume(service: Service, **parameters: Any) -> list[Row]:
    answer = service.get("/volume", params=parameters)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["volume", "coverage"]
    rows: list[Row] = answer.json()["volume"]
    return rows


def test_seven_days_of_hours_of_each_tracked_tag_are_given_unless_told(service: Service) -> None:
    rows = volume(service)
    assert list(rows[0]) == ["tag", "start", "end", "counted", "stored", "partial"]
    assert list(dict.fromkeys(row["tag"] for row in rows)) == ["#devops", "#Observability", "#sre"]
    one = [row for row in rows if row["tag"] == "#sre"]
    assert len(one) == 7 * 24 + 1
    assert all(when(row["end"]) - when(row["start"]) == HOUR for row in one)
    assert all(row["end"] == after["start"] for row, after in pairwise(one))


def test_what_x_counted_is_what_the_emulator_knows(service: Service, x: Emulator) -> None:
    rows = volume(service, tag="devops", **EDGE)
    assert [row["counted"] for row in rows] == [x.count("devops", when(row["start"]), when(row["end"])) for row in rows]
    assert not any(row["partial"] for row in rows)
    last = volume(service, tag="devops")[-1]  # the hour that runs
    assert (last["start"], last["counted"], last["partial"]) == (f"{END:%Y-%m-%dT%H:%M:%SZ}", None, True)


@pytest.mark.parametrize("bucket", ["hour", "day"])
def test_coverage_is_of_the_hours_that_are_shown(service: Service, bucket: str) -> None:
    edges = {"since": f"{END - DAY - HOUR / 3:%Y-%m-%dT%H:%M:%SZ}", "until": f"{END - HOUR / 3:%Y-%m-%dT%H:%M:%SZ}"}
    shown = volume(service, tag="devops", bucket=bucket, **edges)
    whole = {"since": shown[0]["start"], "until": shown[-1]["end"]}
    hours = [row for row in volume(service, tag="devops", **whole) if row["counted"] is not None]
    answer = service.get("/volume", params={"tag": "devops", "bucket": bucket, **edges}).json()
    assert answer["coverage"] == sum(row["stored"] for row in hours) / sum(row["counted"] for row in hours)


def test_what_is_stored_is_what_the_api_shows(service: Service) -> None:
    rows = [row for row in volume(service) if row["tag"] == "#devops"]
    tweets = [tweet for tweet in service.get("/tweets").json()["tweets"] if "#devops" in tweet["tags"]]
    for row in rows:
        assert row["stored"] == sum(row["start"] <= tweet["created"] < row["end"] for tweet in tweets)
    assert sum(row["stored"] for row in rows) == len(tweets) > 0


def test_coverage_is_stored_by_counted_as_the_emulator_knows_them(service: Service, x: Emulator) -> None:
    tweets = service.get("/tweets").json()["tweets"]
    for tag in service.get("/tags").json()["tags"]:
        rows = [row for row in volume(service, tag=tag["tag"]) if row["counted"] is not None]
        first, last = when(rows[0]["start"]), when(rows[-1]["end"])
        stored = sum(first <= when(tweet["created"]) < last for tweet in tweets if tag["tag"] in tweet["tags"])
        assert tag["coverage"] == pytest.approx(stored / x.count(tag["tag"], first, last))


def test_days_are_sums_of_hours_and_say_where_a_part_was_not_counted(service: Service) -> None:
    days, hours = volume(service, tag="sre", bucket="day"), volume(service, tag="sre")
    assert all(when(row["end"]) - when(row["start"]) == DAY for row in days)
    assert sum(row["counted"] or 0 for row in days) == sum(row["counted"] or 0 for row in hours)
    assert [row["partial"] for row in days] == [True, *[False] * (len(days) - 2), True]


def test_tags_may_be_repeated_and_written_in_any_way_and_one_that_nobody_knows_has_nothing(service: Service) -> None:
    rows = volume(service, tag=["#SRE", "DevOps"], **EDGE)
    assert list(dict.fromkeys(row["tag"] for row in rows)) == ["#devops", "#sre"]
    assert service.get("/volume?tag=nobody_knows").json() == {"volume": [], "coverage": None}


def test_where_x_was_never_asked_counts_and_coverage_are_null(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    assert fresh.get("/database").status_code == 200
    answer = fresh.get("/volume").json()
    assert {row["counted"] for row in answer["volume"]} == {None}
    assert answer["coverage"] is None
    assert sum(row["stored"] for row in answer["volume"]) > 0
    assert {tag["coverage"] for tag in fresh.get("/tags").json()["tags"]} == {None}


def test_times_are_half_open_and_may_have_an_offset(service: Service) -> None:
    rows = volume(service, tag="sre", since="2025-12-31T05:00:00+02:00", until="2025-12-31T04:00:00z")
    assert [row["start"] for row in rows] == ["2025-12-31T03:00:00Z"]
    assert when(rows[0]["start"]) == datetime(2025, 12, 31, 3, tzinfo=UTC)
    assert volume(service, since="2025-12-31T03:00:00Z", until="2025-12-31T03:00:00Z") == []
