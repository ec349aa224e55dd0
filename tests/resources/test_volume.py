"""/volume over HTTP: what X counted and what is stored, hour by hour, and the coverage that follows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from emulator import Emulator
from tests.fixtures.service import Service
from tests.resources.conftest import QUIET, Json, Start, given

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
END = QUIET.replace(minute=0)

pytestmark = pytest.mark.dialects


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    """The service with the tweets of one collection, which X has counted as well."""
    with shared(COUNT_EVERY="1h") as running:
        given(running, "/database")
        running.app.extensions["job_runner"].run_due()
        assert given(running, "/readyz")["chores"]["count"]["succeeded"]
        yield running


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def written(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


EDGE = {"since": written(END - 3 * HOUR), "until": written(END)}


def volume(service: Service, **parameters: Any) -> list[Json]:
    rows: list[Json] = given(service, "/volume", **parameters)["volume"]
    return rows


def test_seven_days_of_hours_of_each_tracked_tag_are_given_unless_told(service: Service) -> None:
    found = given(service, "/volume")
    assert list(found) == ["volume", "coverage"]
    rows = found["volume"]
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
    assert (last["start"], last["counted"], last["partial"]) == (written(END), None, True)


def test_coverage_is_of_the_hours_that_are_shown(service: Service) -> None:
    edges = {"since": written(END - DAY - HOUR / 3), "until": written(END - HOUR / 3)}
    for bucket in ("hour", "day"):
        answer = given(service, "/volume", tag="devops", bucket=bucket, **edges)
        whole = {"since": answer["volume"][0]["start"], "until": answer["volume"][-1]["end"]}
        hours = [row for row in volume(service, tag="devops", **whole) if row["counted"] is not None]
        assert answer["coverage"] == sum(row["stored"] for row in hours) / sum(row["counted"] for row in hours)


def test_stored_and_coverage_are_those_of_the_tweets_that_the_api_shows(service: Service, x: Emulator) -> None:
    tweets = given(service, "/tweets")["tweets"]
    for tag in given(service, "/tags")["tags"]:
        rows, times = volume(service, tag=tag["tag"]), [one["created"] for one in tweets if tag["tag"] in one["tags"]]
        for row in rows:
            assert row["stored"] == sum(row["start"] <= time < row["end"] for time in times)
        assert sum(row["stored"] for row in rows) == len(times) > 0
        counted = [row for row in rows if row["counted"] is not None]
        first, last = counted[0]["start"], counted[-1]["end"]
        stored = sum(first <= time < last for time in times)
        assert tag["coverage"] == pytest.approx(stored / x.count(tag["tag"], when(first), when(last)))


def test_days_are_sums_of_hours_and_say_where_a_part_was_not_counted(service: Service) -> None:
    days, hours = volume(service, tag="sre", bucket="day"), volume(service, tag="sre")
    assert all(when(row["end"]) - when(row["start"]) == DAY for row in days)
    assert sum(row["counted"] or 0 for row in days) == sum(row["counted"] or 0 for row in hours)
    assert [row["partial"] for row in days] == [True, *[False] * (len(days) - 2), True]


def test_tags_may_be_repeated_times_have_an_offset_and_one_that_nobody_knows_has_nothing(service: Service) -> None:
    rows = volume(service, tag=["#SRE", "DevOps"], since="2025-12-31T05:00:00+02:00", until="2025-12-31T04:00:00z")
    assert [(row["tag"], row["start"]) for row in rows] == [(tag, "2025-12-31T03:00:00Z") for tag in ("#devops", "#sre")]
    assert given(service, "/volume?tag=nobody_knows") == {"volume": [], "coverage": None}
    assert volume(service, since=EDGE["since"], until=EDGE["since"]) == []


def test_where_x_was_never_asked_counts_and_coverage_are_null(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    given(fresh, "/database")
    answer = given(fresh, "/volume")
    assert {row["counted"] for row in answer["volume"]} == {None}
    assert answer["coverage"] is None
    assert sum(row["stored"] for row in answer["volume"]) > 0
    assert {tag["coverage"] for tag in given(fresh, "/tags")["tags"]} == {None}
