"""What is told of the wanted tweets, against a plain count of those that a list shows."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alchemy import Database
from collector.runs.tags import track
from queries import plans
from queries.authors import Activity, AuthorRank, activity
from queries.filters import ALL, Filters, SortOrder
from queries.hashtags import Hashtags, hashtags
from queries.lists import TweetList, page
from queries.series import TagSeries, per_tag, totals
from queries.tweets import TweetView, matching_count
from queries.zones import Period, axis
from schemas.parameters import SORTED_BY
from tests.fixtures import databases
from tests.queries.invented import (
    FILTERS,
    MIDDLE,
    PERIODS,
    SECONDS,
    SPREAD_S,
    TAGS,
    UNUSED,
    ZONES,
    engagement_of,
    imported,
    invented,
    wanted,
)
from tests.schemas.views import MANY
from text import names as rules

pytestmark = pytest.mark.dialects
TWEETS, FEW = 200, 100
BEGIN = int(MIDDLE.timestamp())
LENGTHS = st.integers(1, 36 * 3600) | st.integers(1, 12 * 86_400) | st.integers(1, 1000 * 86_400)


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    with invented(TWEETS) as ready:
        yield ready


@pytest.fixture(params=[{}, {"FEW": 20, "SORTED": 20}, {"FEW": 5, "SORTED": 0, "LISTED": 60, "LISTED_WORDS": 60}])
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few tweets be many, so that they are read through every access path."""
    for name, value in request.param.items():
        monkeypatch.setattr(plans, name, value)


@pytest.mark.usefixtures("limits")
@MANY
@given(FILTERS, st.integers(1, TWEETS + 50))
def test_as_many_are_found_as_a_list_shows(database: Database, filters: Filters, most: int) -> None:
    with database.reading() as session:
        assert matching_count(session, filters, most=most) == min(len(wanted(database, filters)), most)


@pytest.mark.usefixtures("limits")
@MANY
@given(FILTERS, st.sampled_from(SORTED_BY), st.booleans(), st.integers(1, 30), st.integers(0, TWEETS))
def test_a_list_in_pages_is_that_of_the_wanted_tweets(
    database: Database, filters: Filters, column: str, descending: bool, most: int, at: int
) -> None:
    views = wanted(database, filters)
    since_id = views[at].id if at < len(views) else None
    own = [view for view in views if since_id is None or view.id > since_id]
    known = sorted(
        (view for view in own if getattr(view, column) is not None),
        key=lambda view: (getattr(view, column), view.id),
        reverse=descending,
    )
    unknown = sorted((view.id for view in own if getattr(view, column) is None), reverse=descending)
    given, after = list[int](), None
    with database.reading() as session:
        while places := page(session, TweetList(filters, SortOrder(column, descending), since_id), after=after, most=most):
            given, after = given + [place.id for place in places], places[-1]
    assert given == [*(view.id for view in known), *unknown]


@pytest.mark.parametrize("merged", [plans.MOST_MERGED, 1])
@pytest.mark.usefixtures("limits")
@MANY
@given(FILTERS, st.lists(st.sampled_from([*TAGS, UNUSED, "#unknown"]), min_size=1, unique=True))
def test_any_of_several_tags_selects_each_tweet_with_one_of_them_once(
    database: Database, merged: int, filters: Filters, keys: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plans, "MOST_MERGED", merged)
        found = wanted(database, filters._replace(any_tags=tuple(keys)))
    assert found == [view for view in wanted(database, filters._replace(any_tags=())) if {*view.tags} & {*keys}]


@MANY
@given(FILTERS, st.integers(1, 15))
def test_the_most_active_are_those_with_the_most_wanted_tweets(database: Database, filters: Filters, most: int) -> None:
    views = wanted(database, filters)
    counts = Counter(view.author_id for view in views if view.author_id is not None)
    facts = {view.author_id: (view.author, view.followers, view.username) for view in views}
    ranked = sorted(counts, key=lambda author: (-counts[author], facts[author][2] or "", author))
    sums = {own: engagement_of(view for view in views if view.author_id == own) for own in ranked[:most]}
    expected = Activity(len(views), len(counts), tuple(AuthorRank(*facts[own], counts[own], sums[own]) for own in sums))
    with database.reading() as session:
        assert activity(session, filters, most=most) == expected


@MANY
@given(FILTERS, st.integers(1, 5), st.lists(st.sampled_from(["#sre", "#café"]), unique=True))
def test_the_hashtags_are_those_of_the_newest_wanted_tweets(
    database: Database, filters: Filters, most: int, besides: list[str]
) -> None:
    every = wanted(database, filters)
    newest = sorted(every, key=lambda view: (view.created, view.id), reverse=True)[:FEW]
    views = every if filters == ALL else newest
    counts = Counter(key for view in views for key in rules.hashtags(view.text) if key not in besides)
    with pytest.MonkeyPatch.context() as patch, database.reading() as session:
        patch.setattr("queries.hashtags.MOST_EXAMINED", FEW)
        told = hashtags(session, filters, most=most, besides=besides)
    shown = [(rules.key(row.tag), row.tweets) for row in told.rows]
    assert shown == sorted(counts.items(), key=lambda count: (-count[1], count[0]))[:most]
    assert [row.share for row in told.rows] == [count / len(views) for _, count in shown]
    assert told[1:] == (len(views), len(views) == len(every))


def counted(periods: Sequence[Period], views: Sequence[TweetView]) -> list[int]:
    """Count tweets by period, one after the other."""
    starts, counts = [first for first, _ in periods], Counter[int]()
    for view in views:
        second = int(view.created.timestamp())
        if periods and starts[0] <= second < periods[-1][1]:
            counts[bisect(starts, second) - 1] += 1
    return [counts[number] for number in range(len(periods))]


@example(Filters(since=MIDDLE + timedelta(seconds=1)), "UTC", -7200, 36 * 3600, True)  # within a quarter
@MANY
@given(PERIODS | FILTERS, st.sampled_from(ZONES), SECONDS, LENGTHS, st.booleans())
def test_the_counts_by_period_are_those_of_the_wanted_tweets(
    database: Database, filters: Filters, zone: str, second: int, length: int, after: bool
) -> None:
    first = BEGIN + second - (0 if after else length)
    periods, views = axis(ZoneInfo(zone), first, first + length).periods, wanted(database, filters)
    theirs = [(tag, counted(periods, [view for view in views if tag in view.tags])) for tag in sorted((*TAGS, UNUSED))]
    with database.reading() as session:
        assert totals(session, periods, filters) == counted(periods, views)
        assert per_tag(session, periods, filters) == [
            (tag, tuple(counts)) for tag, counts in theirs if any(counts) or tag == UNUSED
        ]


def test_an_untracked_tag_is_there_where_it_found_tweets(database_backend: str) -> None:
    with invented(5) as database:
        url = database.url.render_as_string(hide_password=False)
        periods = axis(UTC, BEGIN - SPREAD_S, BEGIN + SPREAD_S + 1).periods
        databases.asked(url, "UPDATE tags SET tracked = NOT tracked")
        tracked = [tag for (tag,) in databases.asked(url, "SELECT tag FROM tags WHERE tracked ORDER BY key")]
        with database.reading() as session:
            told = {own.tag: (own.total or 0) for own in per_tag(session, periods, ALL)}
            assert [own.tag for own in per_tag(session, periods[:1], Filters(lang="xx"))] == tracked
        theirs = Counter(tag for view in wanted(database, ALL) for tag in view.tags)
        assert told == {**dict.fromkeys(tracked, 0), **theirs}


def test_of_no_tweets_nothing_is_told(database_backend: str) -> None:
    with imported() as empty:
        with empty.writing() as session:
            track(session, "#sre", None)
        for filters in (ALL, Filters(lang="en")):
            with empty.reading() as session:
                assert activity(session, filters, most=3) == Activity(0, 0, ())
                assert hashtags(session, filters, most=3) == Hashtags((), 0, True)
                for periods, counts in (([(0, 900), (900, 1800)], (0, 0)), ([], ())):
                    assert totals(session, periods, filters) == list(counts)
                    assert per_tag(session, periods, filters) == [TagSeries("#sre", counts)]
