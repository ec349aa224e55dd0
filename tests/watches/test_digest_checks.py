"""When digests are due, by the clocks of zones that are changed, skip days, or are half an hour off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from queries.watches import StoredWatch
from tests.watches.worlds import definition_of
from watches.checks import CheckTime
from watches.definitions import WatchDefinition
from watches.digest_checks import check_digest, due_at


def daily(zone: str, at: str = "08:00") -> WatchDefinition:
    return definition_of(kind="digest", every="1d", tz=zone, at=at)


def weekly(zone: str, at: str = "08:00", weekday: str = "mon") -> WatchDefinition:
    return definition_of(kind="digest", every="7d", tz=zone, at=at, weekday=weekday)


def second(when: str) -> int:
    return int(datetime.fromisoformat(when).timestamp())


@pytest.mark.parametrize(
    ("zone", "at", "day", "due"),
    [
        ("UTC", "08:00", "2026-03-29", "2026-03-29T08:00Z"),
        ("Europe/Berlin", "08:00", "2026-03-29", "2026-03-29T06:00Z"),
        ("Europe/Berlin", "02:30", "2026-03-29", "2026-03-29T01:00Z"),  # skipped: 03:00 is the next
        ("Europe/Berlin", "02:00", "2026-03-29", "2026-03-29T01:00Z"),
        ("Europe/Berlin", "02:30", "2026-10-25", "2026-10-25T00:30Z"),  # twice: the first
        ("America/Sao_Paulo", "00:00", "2018-11-04", "2018-11-04T03:00Z"),  # no midnight
        ("America/Sao_Paulo", "00:30", "2018-11-04", "2018-11-04T03:00Z"),
        ("America/Sao_Paulo", "23:30", "2018-02-17", "2018-02-18T01:30Z"),
        ("Asia/Kathmandu", "08:00", "2026-11-30", "2026-11-30T02:15Z"),
        ("Australia/Lord_Howe", "02:15", "2026-10-04", "2026-10-03T15:30Z"),  # half an hour is skipped
        ("Australia/Lord_Howe", "01:45", "2026-04-05", "2026-04-04T14:45Z"),
        ("Pacific/Apia", "08:00", "2011-12-29", "2011-12-29T18:00Z"),
        ("Pacific/Apia", "08:00", "2011-12-30", "2011-12-30T10:00Z"),  # there was no such day: the next one's beginning
        ("Pacific/Apia", "08:00", "2011-12-31", "2011-12-30T18:00Z"),
    ],
)
def test_a_digest_is_due_when_clocks_show_its_time(zone: str, at: str, day: str, due: str) -> None:
    assert due_at(daily(zone, at), date.fromisoformat(day)) == second(due)


def found(definition: WatchDefinition, checked_to: str, now: str) -> list[tuple[int, float]]:
    """Return when digests are due, and how many hours they tell of."""
    time = datetime.fromisoformat(now).astimezone(UTC)
    watch = StoredWatch(1, "one", "", time, second(checked_to), 0, None, None, 0)
    result = check_digest(watch, definition, CheckTime(time, second(now), 7200, None))
    periods = [one.finding[1:3] for one in result.found]
    assert all(one.at == end for one, (_, end) in zip(result.found, periods, strict=True))
    assert result.watch.checked_to == max([second(checked_to), *(int(end.timestamp()) for _, end in periods)])
    return [(int(end.timestamp()), (end - start) / timedelta(hours=1)) for start, end in periods]


def test_each_tells_of_the_day_that_ends_with_it() -> None:
    days = found(daily("Europe/Berlin"), "2026-03-27T07:00Z", "2026-03-30T06:00Z")
    assert [hours for _, hours in days] == [24, 23, 24]
    assert found(daily("Europe/Berlin"), "2026-10-24T06:00Z", "2026-10-25T07:00Z") == [(second("2026-10-25T07:00Z"), 25)]
    assert found(daily("Australia/Lord_Howe"), "2026-04-03T21:00Z", "2026-04-04T21:30Z")[0][1] == 24.5


def test_a_week_ends_on_its_weekday() -> None:
    weeks = found(weekly("America/Sao_Paulo", "00:00", "sun"), "2018-11-03T00:00Z", "2018-11-09T00:00Z")
    assert weeks == [(second("2018-11-04T03:00Z"), 7 * 24)]
    assert [hours for _, hours in found(weekly("Pacific/Apia", weekday="fri"), "2011-12-29T00:00Z", "2011-12-31T00:00Z")] == [
        6 * 24 + 16
    ]


def test_one_is_told_once_and_not_a_moment_too_early() -> None:
    assert found(daily("UTC"), "2026-11-29T08:00Z", "2026-11-30T07:59:59Z") == []
    assert len(found(daily("UTC"), "2026-11-29T08:00Z", "2026-11-30T08:00Z")) == 1
    assert found(daily("UTC"), "2026-11-30T08:00Z", "2026-11-30T08:00Z") == []


def test_missed_ones_of_seven_days_are_told_late() -> None:
    late = found(daily("Asia/Kathmandu"), "2026-10-01T00:00Z", "2026-11-30T02:15Z")
    assert [(due - second("2026-11-30T02:15Z")) // 86_400 for due, _ in late] == [-6, -5, -4, -3, -2, -1, 0]
    assert len(found(weekly("UTC"), "2026-10-01T00:00Z", "2026-11-30T07:00Z")) == 1
