"""Gaps as times, those of some tags, and whether one reaches into a time; and what each day cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from alchemy import Database
from collector.runs.tags import ensure
from models import Listing, Run, Spend
from queries.gaps import TWITTER_EPOCH, GapTime, any_within, first_id, gap_times
from queries.spend import by_day, spend_between
from tests.fixtures.archives import MORNING
from tests.queries.invented import imported
from tests.schemas.views import MANY

pytestmark = pytest.mark.dialects
FIRST, RUNS = date(2026, 2, 26), (1, 2, 3)
BOUGHT = st.dictionaries(st.tuples(st.integers(0, 9), st.sampled_from(RUNS)), st.integers(1, 10**13), max_size=12)
MILLISECOND = timedelta(milliseconds=1)
TAGS = ("#sre", "#devops")
Left = tuple[str, int | None, int, bool]
LEFT = st.lists(
    st.tuples(st.sampled_from(TAGS), st.none() | st.integers(0, 5000), st.integers(1, 5000), st.booleans()), max_size=5
)


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    with imported() as ready:
        with ready.writing() as session:
            session.add_all(Run(kind="collection", state="done", started=MORNING, token=1) for _ in RUNS)
        yield ready


def after(second: int | None, otherwise: datetime = MORNING) -> datetime:
    return otherwise if second is None else MORNING + timedelta(seconds=second)


def leave(database: Database, left: list[Left]) -> None:
    """Leave gaps from one second of the morning, exclusive, to another; from the beginning where there is none."""
    with database.writing() as session:
        session.execute(delete(Listing))
        for tag, first, length, expired in left:
            since_id = None if first is None else first_id(MORNING + timedelta(seconds=first)) - 1
            before = first_id(MORNING + timedelta(seconds=(first or 0) + length))
            ids = {"since_id": since_id, "until_id": before, "before": before}
            of = {"tag_id": ensure(session, tag).id, "run_id": 1, "gap": True, "query": tag}
            session.add(Listing(**ids, **of, expired=expired))


@MANY
@given(LEFT, st.integers(-100, 10_000), st.integers(1, 3000))
def test_a_stretch_is_the_time_of_a_gaps_ids(database: Database, left: list[Left], first: int, length: int) -> None:
    leave(database, left)
    begin, end = after(first), after(first + length)
    expected = [GapTime(tag, after(since, TWITTER_EPOCH), after((since or 0) + lasts), old) for tag, since, lasts, old in left]
    with database.reading() as session:
        assert sorted(gap_times(session)) == sorted(expected)
        for tag in TAGS:
            mine = [one for one in expected if one.tag == tag]
            found = gap_times(session, keys=[tag])
            assert sorted(found) == sorted(mine)
            assert [one.first for one in found] == sorted(one.first for one in mine)
            bounds = {"first": int(begin.timestamp()), "end": int(end.timestamp())}
            reached = any(one.first < end and one.end - MILLISECOND >= begin for one in mine)
            assert any_within(session, keys=[tag], **bounds) is reached


@MANY
@given(BOUGHT, st.integers(-3, 12), st.integers(-1, 12))
def test_every_day_has_what_it_cost(database: Database, bought: dict[tuple[int, int], int], first: int, length: int) -> None:
    costs = Counter[date]()
    with database.writing() as session:
        session.execute(delete(Spend))
        for (number, run_id), ceiling in bought.items():
            day = FIRST + timedelta(days=number)
            session.add(Spend(day=day.isoformat(), run_id=run_id, ceiling=ceiling))
            costs[day] += ceiling
    days = [FIRST + timedelta(days=day) for day in range(first, first + length)]
    start, end = FIRST + timedelta(days=first), FIRST + timedelta(days=first + length)
    with database.reading() as session:
        found = by_day(session, start=start, end=end)
        assert sum(day.ceiling for day in found) == spend_between(session, start=start, end=end).ceiling
    assert found == [(day, costs[day]) for day in days]
