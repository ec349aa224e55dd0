"""/volume over HTTP: what X counted and what is stored, hour by hour, and the coverage that follows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.resources.conftest import QUIET
from tests.resources.test_errors import problem

Row = dict[str, Any]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
END = QUIET.replace(minute=0)
EDGE = {"since": f"{END - 3 * HOUR:%Y-%m-%dT%H:%M:%SZ}", "until": f"{END:%Y-%m-%dT%H:%M:%SZ}"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, x: Emulator, database_backend: str) -> Iterator[Server]:
    """The service with the tweets of one collection, which X has counted as well."""
    folder = tmp_path_factory.mktemp("volume")
    settings = environment(folder, x) | {"COUNT_EVERY": "1h", "COLLECT_ON_START": "1"}
    with serving(folder, **settings) as server:
        server.until(lambda: server.get("/volume").json()["coverage"])
        server.until(lambda: server.get("/readyz").json()["last_collection"]["state"] == "done")
        server.until(lambda: server.get("/readyz").json()["chores"]["count"]["succeeded"])
        yield server


@pytest.fixture(scope="module")
def uncounted(tmp_path_factory: pytest.TempPathFactory, x: Emulator, database_backend: str) -> Iterator[Server]:
    """A service that never asked X for a count."""
    folder = tmp_path_factory.mktemp("uncounted")
    with serving(folder, **environment(folder, x)) as server:
        assert server.get("/database").status_code == 200
        yield server


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def volume(server: Server, **parameters: Any) -> list[Row]:
    answer = server.get("/volume", params=parameters)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["volume", "coverage"]
    rows: list[Row] = answer.json()["volume"]
    return rows


def test_seven_days_of_hours_of_each_tracked_tag_are_given_unless_told(service: Server) -> None:
    rows = volume(service)
    assert list(rows[0]) == ["tag", "start", "end", "counted", "stored", "partial"]
    assert list(dict.fromkeys(row["tag"] for row in rows)) == ["#devops", "#Observability", "#sre"]
    one = [row for row in rows if row["tag"] == "#sre"]
    assert len(one) == 7 * 24 + 1
    assert all(when(row["end"]) - when(row["start"]) == HOUR for row in one)
    assert all(row["end"] == after["start"] for row, after in pairwise(one))


def test_what_x_counted_is_what_the_emulator_knows(service: Server, x: Emulator) -> None:
    rows = volume(service, tag="devops", **EDGE)
    assert [row["counted"] for row in rows] == [x.count("devops", when(row["start"]), when(row["end"])) for row in rows]
    assert not any(row["partial"] for row in rows)


@pytest.mark.parametrize("bucket", ["hour", "day"])
def test_coverage_is_of_the_hours_that_are_shown(service: Server, bucket: str) -> None:
    edges = {"since": f"{END - DAY - HOUR / 3:%Y-%m-%dT%H:%M:%SZ}", "until": f"{END - HOUR / 3:%Y-%m-%dT%H:%M:%SZ}"}
    shown = volume(service, tag="devops", bucket=bucket, **edges)
    whole = {"since": shown[0]["start"], "until": shown[-1]["end"]}
    hours = [row for row in volume(service, tag="devops", **whole) if row["counted"] is not None]
    answer = service.get("/volume", params={"tag": "devops", "bucket": bucket, **edges}).json()
    assert answer["coverage"] == sum(row["stored"] for row in hours) / sum(row["counted"] for row in hours)


def test_the_hour_that_runs_is_not_counted(service: Server) -> None:
    rows = volume(service, tag="devops")
    assert rows[-1]["start"] == f"{END:%Y-%m-%dT%H:%M:%SZ}"
    assert (rows[-1]["counted"], rows[-1]["partial"]) == (None, True)


def test_what_is_stored_is_what_the_api_shows(service: Server) -> None:
    rows = [row for row in volume(service) if row["tag"] == "#devops"]
    tweets = [tweet for tweet in service.get("/tweets").json()["tweets"] if "#devops" in tweet["tags"]]
    for row in rows:
        assert row["stored"] == sum(row["start"] <= tweet["created"] < row["end"] for tweet in tweets)
    assert sum(row["stored"] for row in rows) == len(tweets) > 0


def test_coverage_is_stored_by_counted_as_the_emulator_knows_them(service: Server, x: Emulator) -> None:
    tweets = service.get("/tweets").json()["tweets"]
    for tag in service.get("/tags").json()["tags"]:
        rows = [row for row in volume(service, tag=tag["tag"]) if row["counted"] is not None]
        first, last = when(rows[0]["start"]), when(rows[-1]["end"])
        stored = sum(first <= when(tweet["created"]) < last for tweet in tweets if tag["tag"] in tweet["tags"])
        assert tag["coverage"] == pytest.approx(stored / x.count(tag["tag"], first, last))


def test_days_are_sums_of_hours_and_say_where_a_part_was_not_counted(service: Server) -> None:
    days, hours = volume(service, tag="sre", bucket="day"), volume(service, tag="sre")
    assert all(when(row["end"]) - when(row["start"]) == DAY for row in days)
    assert sum(row["counted"] or 0 for row in days) == sum(row["counted"] or 0 for row in hours)
    assert [row["partial"] for row in days] == [True, *[False] * (len(days) - 2), True]


def test_tags_may_be_repeated_and_written_in_any_way(service: Server) -> None:
    rows = volume(service, tag=["#SRE", "DevOps"], **EDGE)
    assert list(dict.fromkeys(row["tag"] for row in rows)) == ["#devops", "#sre"]


def test_a_tag_that_nobody_knows_has_nothing(service: Server) -> None:
    assert service.get("/volume?tag=nobody_knows").json() == {"volume": [], "coverage": None}


def test_where_x_was_never_asked_counts_and_coverage_are_null(uncounted: Server) -> None:
    answer = uncounted.get("/volume").json()
    assert {row["counted"] for row in answer["volume"]} == {None}
    assert answer["coverage"] is None
    assert sum(row["stored"] for row in answer["volume"]) > 0
    assert {tag["coverage"] for tag in uncounted.get("/tags").json()["tags"]} == {None}


@pytest.mark.parametrize(
    ("query", "parameter", "words"),
    [
        ("bucket=week", "bucket", "hour, day"),
        ("since=yesterday", "since", "2026-11-17T12:34:56Z"),
        ("since=2026-11-17", "since", "2026-11-17T12:34:56Z"),
        ("until=2026-02-30T00:00:00Z", "until", "2026-11-17T12:34:56Z"),
        ("until=9999-12-31T23:59:59-23:59", "until", "2026-11-17T12:34:56Z"),
        ("since=2026-11-18T00:00:00Z&until=2026-11-17T00:00:00Z", "since", "after until"),
        ("since=2006-01-01T00:00:00Z", "since", "10000 buckets"),
        ("tag=", "tag", "is empty"),
        ("tag=devops&tag=", "tag", "is empty"),
        ("tag=two+words", "tag", "expected a hashtag"),
        ("bucket=day&bucket=day", "bucket", "more than once"),
        ("colour=red", "colour", "bucket, since, tag, until"),
    ],
)
def test_a_bad_value_names_its_parameter_and_what_is_expected(service: Server, query: str, parameter: str, words: str) -> None:
    found = problem(service.get(f"/volume?{query}"), 400)
    assert [fault["parameter"] for fault in found["errors"]] == [parameter]
    assert words in found["errors"][0]["detail"]


def test_times_are_half_open_and_may_have_an_offset(service: Server) -> None:
    rows = volume(service, tag="sre", since="2025-12-31T05:00:00+02:00", until="2025-12-31T04:00:00z")
    assert [row["start"] for row in rows] == ["2025-12-31T03:00:00Z"]
    assert when(rows[0]["start"]) == datetime(2025, 12, 31, 3, tzinfo=UTC)
    assert volume(service, since="2025-12-31T03:00:00Z", until="2025-12-31T03:00:00Z") == []
