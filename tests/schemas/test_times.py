"""Times as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from collector.x.parsing import moment
from schemas.times import rfc3339


def test_a_time_is_written_in_utc_to_the_second() -> None:
    east, west = timezone(timedelta(hours=2)), timezone(timedelta(hours=-3, minutes=-30))
    assert rfc3339(datetime(2026, 11, 17, 12, 34, 56, 999_999, tzinfo=UTC)) == "2026-11-17T12:34:56Z"
    assert rfc3339(datetime(2026, 1, 1, 1, tzinfo=east)) == "2025-12-31T23:00:00Z"
    assert rfc3339(datetime(2026, 1, 1, 1, tzinfo=west)) == "2026-01-01T04:30:00Z"
    assert rfc3339(datetime(3, 4, 5, tzinfo=UTC)) == "0003-04-05T00:00:00Z"
    assert rfc3339(None) is None


def test_a_time_is_read_with_and_without_fraction_and_offset_and_what_is_none_is_not() -> None:
    hours = {".000Z": 19, "Z": 19, "": 19, "+00:00": 19, ".123456+02:00": 17, "-0330": 23}
    for end, hour in hours.items():
        when = moment(f"2026-04-08T19:34:16{end}")
        assert when is not None
        assert (when.tzinfo, when.hour) == (UTC, hour)
    values: list[object] = ["", "soon", "2026-13-01T00:00:00Z", "Wed Apr 08 19:34:16 +0000 2026", "0001-01-01T00:00:00+14:00"]
    assert [moment(value) for value in [*values, 5, None, [], {}]] == [None] * 9
