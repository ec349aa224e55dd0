"""A database of invented tweets, and filters to ask it with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st

from alchemy import Database, open_database
from collector.imports import Import
from collector.runs.tags import track
from queries.filters import ALL, Filters
from queries.lists import TweetList, batches
from queries.tweets import TweetView, TweetViews
from schemas.records import record
from tests.fixtures import databases
from tests.fixtures.archives import own_row, tweet_id
from text.search import parse_search

MIDDLE = datetime(2018, 2, 18, 2, tzinfo=UTC)
"""Sao Paulo turns its clocks back."""
SPREAD_S = 4 * 86_400
ZONES = ("UTC", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns")
TAGS = ("#sre", "#devops", "#café")
UNUSED = "#unused"
COUNTRIES = (("Colombia", "CO"), ("Peru", "PE"), (None, None))
WORDS = ("again", "incident", "postmortem", "#sre", "#SRE", "#Café", "#日本語", "#z_1", "nothing")


@contextmanager
def imported(*objects: Any) -> Iterator[Database]:
    """Give a database of its own that has these lines of an archive."""
    with TemporaryDirectory() as folder:
        own = Path(folder)
        with closing(open_database(databases.url_of(own), data_folder=own)) as ready:
            add(ready, *objects)
            yield ready


def add(database: Database, *objects: Any) -> None:
    """Import these lines of an archive, of which none is refused."""
    run = Import(database)
    for one in objects:
        read = record(json.dumps(one).encode())
        assert not read.refused
        run.add(read.tweets, read.authors)
    run.end()


@contextmanager
def invented(number: int) -> Iterator[Database]:
    """Give a database of tweets around MIDDLE, of a dozen authors; some have none, some no tag. One tracked tag has none."""
    chance = Random(1)
    with imported(*(_row(chance, one) for one in range(number))) as ready:
        with ready.writing() as session:
            track(session, UNUSED, None)
        yield ready


def _row(chance: Random, number: int) -> dict[str, Any]:
    second = chance.choice([chance.randint(-SPREAD_S, SPREAD_S), 900 * chance.randint(-20, 20) - chance.randint(0, 1)])
    created, tags = MIDDLE + timedelta(seconds=second), sorted(chance.sample(TAGS, chance.randint(0, len(TAGS))))
    country, code = chance.choice(COUNTRIES)
    author = chance.choice([None, *range(12), 0, 0])
    numbers: dict[str, Any] = {name: chance.choice([None, 0, 3, 3, 70]) for name in ("likes", "reposts", "views")}
    return own_row(
        text=" ".join(chance.choices(WORDS, k=4)),
        id=str(tweet_id(created, number)),
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        username=author and f"user_{author}",
        author=author and f"User {author}",
        followers=author and chance.choice([None, 10 * author]),
        lang=chance.choice(["en", "EN", "pt", None]),
        country=country,
        country_code=code,
        tags=tags,
        rash=tags[0] if tags else None,
        **numbers,
    )


SECONDS = st.integers(-SPREAD_S, SPREAD_S) | st.integers(-90, 90).map(lambda hours: 3600 * hours)
BOUNDS = st.none() | SECONDS.map(lambda second: MIDDLE + timedelta(seconds=second))
PERIODS = st.tuples(BOUNDS, BOUNDS).map(lambda bounds: Filters(since=bounds[0], until=bounds[1]))
OTHERS = st.builds(
    Filters,
    tags=st.lists(st.sampled_from([*TAGS, "#unknown"]), max_size=2, unique=True).map(tuple),
    lang=st.sampled_from([None, None, "en", "pt", "xx"]),
    country=st.sampled_from([None, None, "CO", "Peru"]),
    author=st.sampled_from([None, None, None, "user_1", "user_7", "nobody"]),
    since=BOUNDS,
    until=BOUNDS,
    min_followers=st.sampled_from([None, None, 0, 50]),
    min_engagement=st.sampled_from([None, None, 0, 6]),
    has=st.sampled_from([(), (), (), ("link",), ("reply", "media")]),
    search=st.sampled_from(["", "", "again", "incident nothing", '"again sre"', "-again", 'sre -"again sre" -nothing'])
    .map(parse_search)
    .map(lambda search: search if any(search) else None),
    any_tags=st.just(()) | st.lists(st.sampled_from([*TAGS, UNUSED, "#unknown"]), max_size=4, unique=True).map(tuple),
)
TAGGED = st.tuples(PERIODS, st.sampled_from([*TAGS, "#unknown"])).map(lambda given: given[0]._replace(tags=(given[1],)))
FILTERS = st.just(ALL) | PERIODS | TAGGED | OTHERS


def engagement_of(views: Iterable[TweetView]) -> int | None:
    """Return the sum of the tweets' engagement as far as it is known; None if none is."""
    known = [view.engagement for view in views if view.engagement is not None]
    return sum(known) if known else None


def wanted(database: Database, filters: Filters) -> list[TweetView]:
    """Return the tweets that a list of them shows."""
    return [view for batch in batches(database, TweetList(filters), TweetViews()) for view in batch]
