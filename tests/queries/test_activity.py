"""Who wrote the wanted tweets, against a plain count of those that a list shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemy import Database
from queries.activity import Activity, activity, counted
from queries.authors import AuthorRank
from queries.filters import ALL, Filters
from tests.fixtures import databases
from tests.queries.invented import FILTERS, invented, wanted


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Iterator[Database]:
    with invented(tmp_path_factory.mktemp("activity"), tweets=300) as ready:
        yield ready


def expected(database: Database, filters: Filters, most: int) -> Activity:
    views = wanted(database, filters)
    counts = Counter(view.author_id for view in views if view.author_id is not None)
    facts = {view.author_id: (view.author, view.followers, view.username) for view in views}
    ranked = sorted(counts, key=lambda author: (-counts[author], facts[author][2] or "", author))
    return Activity(len(views), len(counts), tuple(AuthorRank(*facts[author], counts[author]) for author in ranked[:most]))


def test_the_most_active_are_those_with_the_most_wanted_tweets(database: Database) -> None:
    @given(FILTERS, st.integers(1, 15))
    @settings(deadline=None, max_examples=100)
    def compare(filters: Filters, most: int) -> None:
        with database.reading() as session:
            found, count = activity(session, filters, most=most), counted(session, filters)
        assert found == expected(database, filters, most)
        assert count == found[:2]

    compare()


def test_nobody_wrote_nothing(database: Database, tmp_path: Path) -> None:
    with closing(Database(databases.url_of(tmp_path))) as empty:
        empty.upgrade()
        for one, filters in ((empty, ALL), (empty, Filters(lang="en")), (database, Filters(lang="xx"))):
            with one.reading() as session:
                assert activity(session, filters, most=3) == Activity(0, 0, ())
                assert counted(session, filters) == (0, 0)
