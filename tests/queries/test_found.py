"""How many tweets the filters let through, up to a number."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemy import Database
from queries import sources
from queries.filters import Filters
from queries.tweets import found
from tests.queries.invented import FILTERS, invented, wanted


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Iterator[Database]:
    with invented(tmp_path_factory.mktemp("found"), tweets=300) as ready:
        yield ready


@pytest.mark.parametrize("few", [sources.FEW, 20])
def test_as_many_are_found_as_a_list_shows(database: Database, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 20 for few, all ways to the tweets are gone."""
    monkeypatch.setattr(sources, "FEW", few)

    @given(FILTERS, st.integers(1, 350))
    @settings(deadline=None, max_examples=60)
    def compare(filters: Filters, most: int) -> None:
        with database.reading() as session:
            assert found(session, filters, most=most) == min(len(wanted(database, filters)), most)

    compare()
