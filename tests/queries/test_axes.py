"""Into which buckets a stretch of time is cut."""

from __future__ import annotations

from datetime import UTC, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from queries import zones
from queries.axes import Axis, axis
from queries.zones import DAY, DAY_S, HOUR, HOUR_S, QUARTER
from tests.formats.views import MANY
from tests.queries.invented import ZONES

LENGTHS = st.integers(1, 36 * HOUR_S) | st.integers(1, 16 * DAY_S) | st.integers(1, 9000 * DAY_S)


def bucket_of(length: int) -> timedelta:
    if length <= 36 * HOUR_S:
        return QUARTER
    return HOUR if length <= 15 * DAY_S else DAY


@given(st.sampled_from(ZONES), st.integers(1_100_000_000, 1_900_000_000), LENGTHS)
@MANY
def test_buckets_are_the_zones_and_so_many_days_together_that_400_will_do(name: str, first: int, length: int) -> None:
    found = axis(ZoneInfo(name), first, first + length)
    single = list(zones.buckets(ZoneInfo(name), bucket_of(length), first, first + length))
    assert found.bucket == bucket_of(length)
    if found.bucket != DAY or len(single) <= 400:
        assert found == (tuple(single), found.bucket, 1)
        return
    later = zones.buckets(ZoneInfo(name), DAY, first + length, first + length + found.days * DAY_S)
    days = {start for start, _ in [*single, *later]} | {single[-1][1]}
    assert len(found.periods) <= 400 < len(single) // (found.days - 1) + 2
    assert found.periods[0][0] == single[0][0]
    assert found.periods[-1][0] < first + length <= found.periods[-1][1]
    assert all(one[1] == other[0] for one, other in pairwise(found.periods))
    assert {edge for period in found.periods for edge in period} <= days
    lengths = {round((end - start) / DAY_S) for start, end in found.periods}
    assert lengths <= ({found.days, found.days - 1} if name == "Pacific/Apia" else {found.days})


def test_an_empty_stretch_has_no_periods() -> None:
    assert axis(UTC, 900, 900) == Axis((), QUARTER, 1)
    assert axis(UTC, 900, 0).periods == ()


def test_the_whole_calendar_is_cut() -> None:
    found = axis(ZoneInfo("America/Sao_Paulo"), zones.FIRST - 10**9, zones.LAST + 10**9)
    assert len(found.periods) <= 400
    assert found.periods[0][0] <= zones.FIRST < zones.LAST <= found.periods[-1][1]
