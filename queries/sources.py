"""Sources: what a sorted list of tweets is read from, so that a page costs about the same at any depth.

A list is read in its order through an index of one of its filters, and what the others refuse is skipped. Where a filter lets
only few tweets through, they are gathered and sorted instead; how many those are is counted, for databases guess it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, select, true
from sqlalchemy.orm import Session

from models import TWEET_WORDS, Author, IdRange, Tag, Tweet, TweetTag
from queries.filters import ALL, CODE, Filters, conditions, within
from queries.orders import BY_ID, Columns, Order
from sql.functions import whole_hour
from sql.planning import by_bitmaps

FEW = 10_000
ON_TWEETS = Columns()
ON_LINKS = Columns(TweetTag.tweet_id, TweetTag.created, None)
BOTH = ("id", "created")


class Source(NamedTuple):
    """A query of ids and of what they are sorted by, and the columns to sort it by."""

    query: Select[Any]
    columns: Columns


class Way(NamedTuple):
    """A way to the tweets that one filter lets through: its own conditions, what is left of the filters, and its indexes.

    `indexes` are by the column in whose order they give the tweets; the first one serves to gather them as well. An empty
    name is that of the table itself. Where it is `guessed`, PostgreSQL takes what is rare for what is not: it
    knows the thousand most common words only.
    """

    table: Any
    own: tuple[ColumnElement[bool], ...]
    left: Filters
    indexes: Mapping[str, str]
    columns: Columns = ON_TWEETS
    sorts: bool = True
    guessed: bool = False

    def gives(self, order: Order) -> bool:
        """Whether it gives the tweets in this order."""
        return self.sorts and order.column in self.indexes


def source(session: Session, filters: Filters, order: Order) -> Source:
    """Return from where the tweets that are wanted are read in this order."""
    found = _found(session, filters, order)
    if _guesses(session) and (filters.since is not None or filters.until is not None):  # its tables are in parts by id
        return found._replace(query=found.query.where(_id_bounds(session, filters, found.columns.id)))
    return found


def _found(session: Session, filters: Filters, order: Order) -> Source:
    ways = list(_ways(session, filters))
    way, few = _chosen(session, ways, order)
    if way is None:
        return _walk(session, filters, order)
    if way.table is Tweet:
        found = _selected(ON_TWEETS, order).where(*way.own, *conditions(way.left)).with_hint(*_hint(way, order))
        return Source(found, ON_TWEETS) if way.gives(order) else _gathered(session, Source(found, ON_TWEETS))
    if way.gives(order):
        query = _selected(way.columns, order).where(*way.own).with_hint(*_hint(way, order))
        left = conditions(way.left)
        if order.column == "created":  # what is older or newer isn't skipped one by one
            query = query.where(*within(way.columns.created, filters))
            left = conditions(way.left._replace(since=None, until=None))
        sorted_ = Source(query.where(exists().where(Tweet.id == way.columns.id, *left)) if left else query, way.columns)
        return _gathered(session, sorted_) if few and way.guessed else sorted_
    if _guesses(session):
        return _met(way, order)
    joined = _selected(ON_TWEETS, order).join(way.table, way.columns.id == Tweet.id).where(*way.own, *conditions(way.left))
    return Source(joined.with_hint(*_hint(way, order)).with_hint(Tweet, "NOT INDEXED", "sqlite"), ON_TWEETS)


def _met(way: Way, order: Order) -> Source:
    """Return a source of the few tweets that a way leads to, looked up one by one: with an offset they are joined so."""
    few = select(way.columns.id.label("id")).where(*way.own).cte("few").prefix_with("MATERIALIZED")
    theirs = _selected(ON_TWEETS, order).where(Tweet.id == few.c.id, *conditions(way.left))
    met = theirs.correlate(few).offset(0).lateral("met")
    return Source(select(met.c.id, met.c.value).select_from(few).join(met, true()), Columns(met.c.id, met.c.value, met.c.value))


def _gathered(session: Session, few: Source) -> Source:
    """Return a source of few tweets, which are sorted once they are there.

    PostgreSQL takes no hints, and may find it cheaper to go through all tweets in their order until it has met enough of these.
    """
    if not _guesses(session):
        return few
    found = few.query.cte("few").prefix_with("MATERIALIZED")
    return Source(select(found.c.id, found.c.value), Columns(found.c.id, found.c.value, found.c.value))


def _guesses(session: Session) -> bool:
    """Whether the database chooses the indexes by itself."""
    return session.get_bind().dialect.name != "sqlite"


def wrote(session: Session, filters: Filters) -> ColumnElement[bool]:
    """Return the condition on Author of who wrote a tweet that is wanted: whichever is quicker for few tweets, or for many."""
    left = filters._replace(author=None, min_followers=None)
    own = [Author.followers >= filters.min_followers] if filters.min_followers is not None else []
    own += [func.lower(Author.username) == filters.author] if filters.author is not None else []
    if left == ALL:
        return and_(true(), *own)
    if min(_count(session, way) for way in _ways(session, left)) <= FEW:
        wanted = source(session, left, BY_ID).query.subquery()
        return and_(Author.id.in_(select(Tweet.author_id).join(wanted, wanted.c.id == Tweet.id)), *own)
    theirs = select(Tweet.id).where(Tweet.author_id == Author.id, *conditions(left)).correlate(Author)
    if _guesses(session):
        theirs = theirs.offset(0)  # asked of one author after the other; without, all that is wanted is gathered first
    return and_(theirs.with_hint(Tweet, "INDEXED BY ix_tweets_author_id_id", "sqlite").exists(), *own)


def _chosen(session: Session, ways: list[Way], order: Order) -> tuple[Way | None, bool]:
    """Return a way that lets few through, or one that gives them in order, if there is any; and whether they are few."""
    sorting = [way for way in ways if way.gives(order)]
    if len(ways) == 1 and sorting and not (ways[0].guessed and _guesses(session)):
        return ways[0], False
    counts = [_count(session, way) for way in ways]
    fewest = min(range(len(ways)), key=counts.__getitem__, default=None)
    if fewest is not None and counts[fewest] <= FEW:
        return ways[fewest], True
    if _guesses(session):
        sorting.sort(key=lambda way: way.guessed)  # of a list of words all are read until one is met
    return (sorting[0] if sorting else None), False


def _count(session: Session, way: Way) -> int:
    """Return how many tweets a way leads to; of many, that they are more than a few."""
    some = select(literal(1)).select_from(way.table).where(*way.own).with_hint(*_hint(way, None)).limit(FEW + 1)
    with by_bitmaps(session) if way.guessed else nullcontext():
        return session.scalar(select(func.count()).select_from(some.subquery())) or 0


def _ways(session: Session, filters: Filters) -> Iterator[Way]:
    """Give a way for each filter, those that tend to be the narrowest first."""
    for key in filters.tags:
        tag_id = session.scalar(select(Tag.id).where(Tag.key == key))
        left = filters._replace(tags=tuple(other for other in filters.tags if other != key))
        indexes = {"id": "ix_tweet_tags_tag_id_tweet_id", "created": "ix_tweet_tags_tag_id_created"}
        yield Way(TweetTag, (TweetTag.tag_id == (tag_id or 0),), left, indexes, ON_LINKS)
    if filters.words:
        found = TWEET_WORDS.having(filters.words).subquery("found")
        yield Way(found, (), filters._replace(words=()), {"id": ""}, Columns(found.c.id, None, None), guessed=True)
    if filters.author is not None:
        named = session.scalars(select(Author.id).where(func.lower(Author.username) == filters.author)).all()
        own = Tweet.author_id == named[0] if len(named) == 1 else Tweet.author_id.in_(named)
        yield Way(Tweet, (own,), filters._replace(author=None), _indexes("author_id"), sorts=len(named) == 1)
    if filters.country is not None:
        name = "country_code" if CODE.fullmatch(filters.country) else "country"
        yield _by_column(filters, "country", name)
    if filters.lang is not None:
        yield _by_column(filters, "lang", "lang")
    if filters.min_followers is not None:
        yield _by_column(filters, "min_followers", "followers", {"followers": "ix_tweets_followers"})
    if filters.since is not None or filters.until is not None:
        period = tuple(conditions(Filters(since=filters.since, until=filters.until)))
        yield Way(Tweet, period, filters._replace(since=None, until=None), {"created": "ix_tweets_created"})


def _by_column(filters: Filters, name: str, index: str, indexes: Mapping[str, str] | None = None) -> Way:
    own = tuple(conditions(Filters(**{name: getattr(filters, name)})))
    nothing: Any = {name: None}
    return Way(Tweet, own, filters._replace(**nothing), indexes or _indexes(index))


def _indexes(name: str) -> Mapping[str, str]:
    return {column: f"ix_tweets_{name}_{column}" for column in BOTH}


def _walk(session: Session, filters: Filters, order: Order) -> Source:
    """Return all tweets in their order, of which those that are not wanted are skipped."""
    index = "NOT INDEXED" if order.column == "id" else f"INDEXED BY ix_tweets_{order.column}"
    query = _selected(ON_TWEETS, order).where(*conditions(filters)).with_hint(Tweet, index, "sqlite")
    unbounded = order.column == "id" and not _guesses(session)
    if unbounded and (filters.since is not None or filters.until is not None):
        query = query.where(_id_bounds(session, filters, Tweet.id))
    return Source(query, ON_TWEETS)


def _id_bounds(session: Session, filters: Filters, own: Any) -> ColumnElement[bool]:
    """Return between which ids the tweets of a period are."""
    ranges = select(func.min(IdRange.first_id), func.max(IdRange.last_id))
    if filters.since is not None:
        ranges = ranges.where(IdRange.start > int(filters.since.timestamp()) - whole_hour.seconds)
    if filters.until is not None:
        ranges = ranges.where(IdRange.start < int(filters.until.timestamp()) + 1)
    first, last = session.execute(ranges).one()
    within: ColumnElement[bool] = own.between(first or 0, last or 0)
    return within


def _selected(columns: Columns, order: Order) -> Select[Any]:
    return select(columns.id.label("id"), getattr(columns, order.column).label("value"))


def _hint(way: Way, order: Order | None) -> tuple[Any, str, str]:
    """Return what SQLite is told about the index to use."""
    column = order.column if order and way.gives(order) else next(iter(way.indexes))
    index = way.indexes[column]
    return way.table, f"INDEXED BY {index}" if index else "", "sqlite"
