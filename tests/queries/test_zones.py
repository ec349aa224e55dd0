"""Where a zone's buckets of time begin, against looking at every minute, and how many make an axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alchemy import Database
from models import LONGEST_DAY, Quarter
from queries import zones
from queries.timeline import per_hour
from queries.zones import DAY, DAY_S, HOUR, HOUR_S, QUARTER, Axis, axis, enough_tweets, fitting_bucket
from tests.queries.clocks import Period, naive
from tests.queries.invented import ZONES, imported
from tests.schemas.views import MANY

NAMES = sorted(available_timezones() - {"localtime"})
ODD = ("Australia/Lord_Howe", "Antarctica/Casey", "Africa/Casablanca", "Asia/Gaza")
YEARS = (2010, *range(2022, 2027))
BEGIN, LATELY, END = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2006, 2022, 2038))
NOW = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("zone", "bucket", "begin", "end", "shown"),
    [
        ("America/New_York", DAY, "10-31T12:00", "11-02T12:00", ["31 00:00 -0400", "01 00:00 -0400", "02 00:00 -0500"]),
        ("Asia/Kathmandu", HOUR, "04-04T14:00", "04-04T15:30", ["04 19:00 +0545", "04 20:00 +0545", "04 21:00 +0545"]),
        ("Australia/Lord_Howe", HOUR, "04-04T14:00", "04-04T16:30", ["05 01:00 +1100", "05 01:30 +1030", "05 02:00 +1030"]),
        ("Asia/Kathmandu", QUARTER, "04-04T14:01", "04-04T14:16", ["04 19:45 +0545", "04 20:00 +0545"]),
    ],
)
def test_a_bucket_begins_where_the_clock_says(zone: str, bucket: timedelta, begin: str, end: str, shown: list[str]) -> None:
    first, last = (int(datetime.fromisoformat(f"2026-{when}Z").timestamp()) for when in (begin, end))
    found = zones.buckets(ZoneInfo(zone), bucket, first, last)
    assert [f"{datetime.fromtimestamp(start, ZoneInfo(zone)):%d %H:%M %z}" for start, _ in found] == shown


@cache
def different() -> list[str]:
    """Return a name of all zones that show the same time in the years that are looked at."""
    sampled = [second for year in YEARS for second in range(_begin(year), _begin(year + 1), 10 * DAY_S)]
    return sorted({tuple(_offset(ZoneInfo(name), second) for second in sampled): name for name in NAMES}.values())


@pytest.mark.parametrize("year", [2010, 2022, 2026])
def test_every_zone_keeps_the_offset_of_a_stretch_throughout(year: int) -> None:
    assert len(different()) > 100
    for name in different():
        zone, at = ZoneInfo(name), _begin(year)
        for stretch in zones.offset_periods(zone, at, _begin(year + 1)):
            assert stretch.first == at
            at = stretch.end
            seconds = {*range(stretch.first, stretch.end, 9 * DAY_S), stretch.end - 1}
            assert {_offset(zone, second) for second in seconds} == {stretch.offset}, (name, stretch)
        assert at == _begin(year + 1)


def _begin(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def _offset(zone: tzinfo, second: int) -> float:
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    assert offset is not None
    return offset.total_seconds()


@MANY
@given(st.sampled_from(NAMES), st.integers(BEGIN, END), st.integers(1, 3 * DAY_S), st.sampled_from([QUARTER, HOUR, DAY]))
def test_buckets_are_what_a_look_at_every_minute_finds(name: str, first: int, length: int, bucket: timedelta) -> None:
    found = list(zones.buckets(ZoneInfo(name), bucket, first, first + length))
    assert found == naive(ZoneInfo(name), bucket, (first, first + length))


@pytest.mark.parametrize("name", ["America/St_Johns", "Pacific/Apia", *ODD])
def test_buckets_are_right_around_changes_of_a_clock(name: str) -> None:
    """Every fifth, forwards and back by turns; the first of St John's are a minute after midnight, Apia left a date out."""
    zone = ZoneInfo(name)
    for before, after in list(pairwise(zones.offset_periods(zone, BEGIN, END)))[::5]:
        period: Period = (before.end - 20_000, after.first + 20_000)
        for bucket in (HOUR, DAY):
            assert list(zones.buckets(zone, bucket, *period)) == naive(zone, bucket, period)


def test_no_day_is_longer_than_presence_reaches_back() -> None:
    """A longer one would be exact as well, but slow."""
    turned = {
        before.offset - after.offset
        for name in different()
        for before, after in pairwise(zones.offset_periods(ZoneInfo(name), LATELY, NOW))
    }
    assert 24 * 3600 + max(turned) <= LONGEST_DAY * 900


@pytest.fixture(scope="module")
def quarters(database_backend: str) -> Iterator[tuple[Database, dict[int, int]]]:
    """A database with tweets in quarters of several years, more of them around changes of clocks."""
    chance, changed = Random(1), ["2026-04-04T15:00Z", "2026-03-29T01:00Z", "2023-03-08T16:00Z"]
    around = [int(datetime.fromisoformat(when).timestamp()) + 900 * n for when in changed for n in range(-9, 9)]
    counts = {second: chance.randint(1, 9) for second in [*around, *(chance.randrange(LATELY, NOW, 900) for _ in range(100))]}
    with imported() as ready:
        with ready.reading() as session:
            assert per_hour(session, zone=UTC) == [(hour, 0) for hour in range(24)]
        with ready.writing() as session:
            session.add_all(Quarter(start=start, tweets=tweets) for start, tweets in counts.items())
        yield ready, counts


@pytest.mark.dialects
def test_the_hours_of_the_day_are_those_of_each_quarter_in_a_zone(quarters: tuple[Database, dict[int, int]]) -> None:
    database, counts = quarters
    with database.reading() as session:
        for name in {"UTC", "Asia/Kathmandu", "Pacific/Apia", *ODD, *NAMES[::20]}:
            expected = Counter[int]()
            for start, tweets in counts.items():
                expected[datetime.fromtimestamp(start, ZoneInfo(name)).hour] += tweets
            assert per_hour(session, zone=ZoneInfo(name)) == [(hour, expected[hour]) for hour in range(24)], name


LENGTHS = st.integers(1, 36 * HOUR_S) | st.integers(1, 16 * DAY_S) | st.integers(1, 9000 * DAY_S)


def bucket_of(length: int) -> timedelta:
    if length <= 36 * HOUR_S:
        return QUARTER
    return HOUR if length <= 15 * DAY_S else DAY


@given(st.sampled_from(ZONES), st.integers(1_100_000_000, 1_900_000_000), LENGTHS)
@example("UTC", 1_100_000_000, 400 * DAY_S)  # they overlap 401 days
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


def test_the_whole_calendar_is_cut_and_of_nothing_there_are_no_periods() -> None:
    assert axis(UTC, 900, 900) == axis(UTC, 900, 0) == Axis((), QUARTER, 1)
    found = axis(ZoneInfo("America/Sao_Paulo"), zones.FIRST - 10**9, zones.LAST + 10**9)
    assert len(found.periods) <= 400
    assert found.periods[0][0] <= zones.FIRST < zones.LAST <= found.periods[-1][1]


@pytest.mark.parametrize(
    ("hours", "tweets", "bucket", "bars"),
    [
        *((24, 133, HOUR, 24), (24, 959, HOUR, 24), (24, 960, QUARTER, 96), (24, None, QUARTER, 96), (24, 0, HOUR, 24)),
        *((10, 49, HOUR, 10), (10, 80, QUARTER, 40), (2, 30, QUARTER, 8), (2, 79, QUARTER, 8)),
        *((168, 1680, HOUR, 168), (168, 1679, 4 * HOUR, 42), (168, 83, 12 * HOUR, 14), (168, 0, 12 * HOUR, 14)),
        *((720, 300, DAY, 30), (720, 59, DAY, 15), (720, 10**6, DAY, 30), (24 * 400, 100, DAY, 29), (24 * 400, 4000, DAY, 400)),
    ],
)
def test_buckets_fit_the_number_of_tweets(hours: int, tweets: int | None, bucket: timedelta, bars: int) -> None:
    found = axis(UTC, LATELY, LATELY + hours * HOUR_S, tweets)
    assert (found.bucket, len(found.periods)) == (bucket, bars)


@given(st.integers(14 * 900, 9000 * DAY_S), st.integers(0, 40_000))
@MANY
def test_there_are_14_to_48_buckets_unless_each_has_ten_tweets_or_a_quarter_too_few(length: int, tweets: int) -> None:
    bucket, count = fitting_bucket(length, tweets)
    bars = length / (bucket.total_seconds() * count)
    assert fitting_bucket(length, min(tweets, enough_tweets(length))) == (bucket, count)
    assert 14 <= bars <= 48 or tweets >= 10 * bars or (bucket == HOUR and tweets < 2 * length / 900)


@pytest.mark.parametrize("hours", zones.SOME_HOURS[1:])
def test_parts_of_a_day_follow_each_other_by_the_clock_also_where_it_is_changed(hours: int) -> None:
    for name in ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"):
        zone = ZoneInfo(name)
        found = list(zones.buckets(zone, hours * HOUR, LATELY, LATELY + 400 * DAY_S))
        assert all(one[1] == other[0] for one, other in pairwise(found))
        assert {(end - start) / HOUR_S for start, end in found} <= {hours + more for more in (-1, -0.5, 0, 0.5, 1)}
        begun = {datetime.fromtimestamp(start, zone).hour % hours for start, _ in found}
        assert begun <= ({0, 1} if hours <= 2 else {0})  # an hour that clocks skip begins with the next one
