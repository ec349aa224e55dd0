"""Times as the API writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.x.parsing import moment
from formats.times import rfc3339

FIRST, LAST = datetime.fromisoformat("0001-01-02"), datetime.fromisoformat("9999-12-30")  # any zone fits around them
AWARE = st.datetimes(FIRST, LAST, timezones=st.timezones())


@pytest.mark.parametrize(
    ("when", "written"),
    [
        (datetime(2026, 11, 17, 12, 34, 56, tzinfo=UTC), "2026-11-17T12:34:56Z"),
        (datetime(2026, 11, 17, 12, 34, 56, 999_999, tzinfo=UTC), "2026-11-17T12:34:56Z"),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2025-12-31T23:00:00Z"),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))), "2026-01-01T04:30:00Z"),
        (datetime(3, 4, 5, tzinfo=UTC), "0003-04-05T00:00:00Z"),
        (None, None),
    ],
)
def test_a_time_is_written_in_utc_to_the_second(when: datetime | None, written: str | None) -> None:
    assert rfc3339(when) == written


@given(AWARE)
def test_what_is_written_is_read_again_to_the_second(when: datetime) -> None:
    written = rfc3339(when)
    assert written is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", written)
    assert moment(written) == when.astimezone(UTC).replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-04-08T19:34:16.000Z", 19),
        ("2026-04-08T19:34:16Z", 19),
        ("2026-04-08T19:34:16", 19),
        ("2026-04-08T19:34:16+00:00", 19),
        ("2026-04-08T19:34:16.123456+02:00", 17),
        ("2026-04-08T19:34:16-0330", 23),
    ],
)
def test_a_time_is_read_with_and_without_fraction_and_offset(text: str, hour: int) -> None:
    when = moment(text)
    assert when is not None
    assert (when.tzinfo, when.hour) == (UTC, hour)


@pytest.mark.parametrize(
    "value",
    ["", "soon", "2026-13-01T00:00:00Z", "Wed Apr 08 19:34:16 +0000 2026", "0001-01-01T00:00:00+14:00", 5, None, [], {}],
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert moment(value) is None
