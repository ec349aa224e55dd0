"""What tags share, their languages and engagement, against plain counts of the tweets that lists show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemy import Database
from collector.runs.tags import track
from queries.filters import Filters
from queries.overlap import engagement, languages, newest, overlap
from tests.fixtures.archives import own_row, page, post
from tests.queries.invented import FILTERS, TAGS, UNUSED, add, imported, invented, wanted
from tests.schemas.views import MANY

pytestmark = pytest.mark.dialects
UNKNOWN = "#unknown"
KEYS = st.lists(st.sampled_from([*TAGS, UNUSED, UNKNOWN]), unique=True).map(tuple)


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    with invented(200) as ready:
        yield ready


@MANY
@given(FILTERS, st.integers(1, 100))
def test_the_newest_of_many_are_all_from_a_second_on(database: Database, filters: Filters, most: int) -> None:
    with database.reading() as session:
        bounded = newest(session, filters, most=most)
    times = sorted((view.created for view in wanted(database, filters)), reverse=True)
    last = times[most] if len(times) > most else None
    assert bounded == (filters if last is None else filters._replace(since=last))


@MANY
@given(FILTERS, KEYS)
def test_tags_share_the_tweets_and_authors_that_have_both_and_have_languages_of_their_own(
    database: Database, filters: Filters, keys: tuple[str, ...]
) -> None:
    filters = filters._replace(any_tags=keys)
    with database.reading() as session:
        shared, spoken = overlap(session, filters, keys=keys), languages(session, filters, keys=keys)
    views = wanted(database, filters) if keys else []
    wrote = {tag: {view.author_id for view in views if tag in view.tags and view.author_id is not None} for tag in keys}
    for one, other in product(range(len(keys)), repeat=2):
        both = {keys[one], keys[other]}
        assert shared.tweets.having(one, other) == sum(both <= {*view.tags} for view in views)
        assert shared.authors.having(one, other) == len(wrote[keys[one]] & wrote[keys[other]])
    assert spoken == {tag: Counter((view.lang or "").lower() for view in views if tag in view.tags) for tag in keys}


def test_the_engagement_of_a_tag_is_that_of_its_tweets_of_which_it_is_known(database_backend: str) -> None:
    numbers = {"like_count": 3, "retweet_count": 4, "reply_count": 0, "quote_count": 1}
    with imported(own_row(0, tags=["#sre"])) as ready:
        with ready.writing() as session:
            track(session, "#sre", None)
        add(ready, page(post(1, "of #sre", public_metrics=numbers)))
        with ready.reading() as session:
            found = engagement(session, Filters(), keys=("#sre", UNKNOWN))
    assert (found["#sre"].total, found["#sre"].tweets, found["#sre"].mean) == (8, 1, 8.0)
    assert found["#sre"].first == found["#sre"].last is not None
    assert found[UNKNOWN].mean is None
