"""What each day cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from alchemy import Database
from models import Run, Spend
from queries.spend import by_day, spent
from tests.fixtures.archives import MORNING
from tests.formats.views import MANY
from tests.queries.invented import imported

FIRST = date(2026, 2, 26)
RUNS = (1, 2, 3)
BOUGHT = st.dictionaries(st.tuples(st.integers(0, 9), st.sampled_from(RUNS)), st.integers(1, 10**13), max_size=12)


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    with imported() as ready:
        with ready.writing() as session:
            session.add_all(Run(kind="collection", state="done", started=MORNING) for _ in RUNS)
        yield ready


@pytest.mark.dialects
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
        assert sum(day.ceiling for day in found) == spent(session, start=start, end=end).ceiling
    assert found == [(day, costs[day]) for day in days]
