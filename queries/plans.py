"""Query plans: what a sorted list of tweets is read from, so that a page costs about the same at any depth.

A list is read in its order through an index of one of its filters, and the rows that the other filters reject are skipped.
Where only few tweets match a filter, they are gathered and sorted instead. They are counted, because databases guess their
number. There is an access path for each filter, and a planner for each database backend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, exists, func, literal, select, true, union_all
from sqlalchemy.orm import Session

from database.functions import by_bitmaps, plans_by_statistics, whole_hour
from models import TWEET_WORDS, Author, IdRange, Tag, Tweet, TweetTag
from queries.filters import ALL, BY_TIME, CODE, Filters, SortOrder, conditions, within, without

_READ_WHOLE = dict.fromkeys(("likes", "reposts", "views"), "engagement")
"""The index that is read whole for an order which no index gives: every tweet is compared, so all filters are listed."""
FEW, MANY = 10_000, 10**9
SORTED = 3000  # tweets that SQLite gathers and sorts; where more match, a page in an order is soon filled
LISTED, LISTED_WORDS = 30_000, 100_000  # the index of words takes ten times as long for one tweet as reading the tweet


class Columns(NamedTuple):
    """The columns of a source that lists are sorted by: an index is over columns of one table.

    `hour` is that of `created`, where the source is read hour by hour.
    """

    id: Any = Tweet.id
    created: Any = Tweet.created
    followers: Any = Tweet.followers
    engagement: Any = Tweet.engagement
    likes: Any = Tweet.likes
    reposts: Any = Tweet.reposts
    views: Any = Tweet.views
    hour: Any = None


ON_TWEETS = Columns()


def _by_value(found: Any) -> Columns:
    """The columns of a table of ids and of the values of the order, whichever it is."""
    return Columns(found.c.id, *(found.c.value for name in Columns._fields if name not in ("id", "hour")))


class Source(NamedTuple):
    """A query of ids and of what they are sorted by, and the columns to sort it by."""

    query: Select[Any]
    columns: Columns


class AccessPath(NamedTuple):
    """How the tweets that match one of the filters, `of`, are read: a table, conditions on it, and its indexes.

    `indexes` are by the column in whose order they give the tweets; the first one also serves to gather them. An empty name
    is that of the table itself. Where it is `guessed`, PostgreSQL takes rare words for common ones, because it knows only
    the thousand most common.
    """

    of: Filters
    table: Any
    own: tuple[ColumnElement[bool], ...]
    indexes: Mapping[str, str]
    columns: Columns = ON_TWEETS
    sorts: bool = True
    guessed: bool = False

    def gives(self, order: SortOrder) -> bool:
        """Whether it gives the tweets in this order."""
        return self.sorts and order.column in self.indexes

    def hint(self, order: SortOrder | None = None) -> tuple[Any, str, str]:
        """The hint by which SQLite uses the index of this order, or the one to gather by."""
        index = self.indexes[order.column] if order and self.gives(order) else next(iter(self.indexes.values()))
        return self.table, f"INDEXED BY {index}" if index else "", "sqlite"

    @property
    def ids(self) -> Select[Any]:
        """The ids of all tweets that it leads to."""
        own = select(self.columns.id.label("id")).select_from(self.table).where(*self.own)
        return own.with_hint(*self.hint()).correlate(None)


def access_paths(session: Session, filters: Filters) -> Iterator[AccessPath]:
    """Yield a path for each filter, those that tend to be the narrowest first."""
    on_links = Columns(TweetTag.tweet_id, TweetTag.created, None)
    for key in filters.tags:
        tag_id = session.scalar(select(Tag.id).where(Tag.key == key))
        indexes = {"id": "ix_tweet_tags_tag_id_tweet_id", "created": "ix_tweet_tags_tag_id_created"}
        yield AccessPath(Filters(tags=(key,)), TweetTag, (TweetTag.tag_id == (tag_id or 0),), indexes, on_links)
    if filters.words:
        found = TWEET_WORDS.having(filters.words).subquery("found")
        yield AccessPath(Filters(words=filters.words), found, (), {"id": ""}, Columns(found.c.id, None, None), guessed=True)
    if filters.author is not None:
        yield _of_author(session, filters.author)
    if filters.country is not None:
        name = "country_code" if CODE.fullmatch(filters.country) else "country"
        yield _on_tweets(Filters(country=filters.country), _indexes(name))
    if filters.lang is not None:
        yield _on_tweets(Filters(lang=filters.lang), _indexes("lang"))
    if filters.min_followers is not None:
        yield _on_tweets(Filters(min_followers=filters.min_followers), {"followers": "ix_tweets_followers"})
    if filters.min_engagement is not None:
        yield _on_tweets(Filters(min_engagement=filters.min_engagement), {"engagement": "ix_tweets_engagement"})
    if filters.since is not None or filters.until is not None:
        yield _on_tweets(Filters(since=filters.since, until=filters.until), {"created": "ix_tweets_created"})


def _of_author(session: Session, username: str) -> AccessPath:
    """Return the path to the tweets of an author, which all have the same followers, or of several with one username."""
    named = session.execute(select(Author.id, Author.followers).where(func.lower(Author.username) == username)).all()
    of, indexes = Filters(author=username), _indexes("author_id")
    if len(named) != 1:
        own = Tweet.author_id.in_([author_id for author_id, _ in named])
        return AccessPath(of, Tweet, (own,), indexes, sorts=False)
    ((author_id, followers),) = named
    by_id = {"followers": indexes["id"]}
    columns = ON_TWEETS._replace(followers=literal(followers, BigInteger))
    return AccessPath(of, Tweet, (Tweet.author_id == author_id,), indexes | by_id, columns)


def _on_tweets(of: Filters, indexes: Mapping[str, str]) -> AccessPath:
    return AccessPath(of, Tweet, tuple(conditions(of)), indexes)


def _indexes(name: str) -> dict[str, str]:
    return {column: f"ix_tweets_{name}_{column}" for column in ("id", "created")}


def plan(session: Session, filters: Filters, order: SortOrder) -> Source:
    """Return what the tweets that match the filters are read from, in this order."""
    planner = PostgreSQLPlanner(session) if plans_by_statistics(session) else SQLitePlanner(session)
    return planner.plan(filters, order)


def is_narrow(session: Session, filters: Filters) -> bool:
    """Whether only few tweets match one of the filters that have an access path."""
    return min((_count(session, path) for path in access_paths(session, filters)), default=MANY) <= FEW


def hours_of(filters: Filters) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on IdRange for the hours of the filters' period."""
    if filters.since is not None:
        yield IdRange.start > int(filters.since.timestamp()) - whole_hour.seconds
    if filters.until is not None:
        yield IdRange.start < int(filters.until.timestamp()) + 1


class SQLitePlanner(NamedTuple):
    """Plans for SQLite, which uses the index that a hint names.

    The tweets of other filters are passed as lists of ids if there are not too many: to add an id to a list takes a tenth of
    the time of looking up a tweet that is skipped.
    """

    session: Session

    def plan(self, filters: Filters, order: SortOrder) -> Source:
        """Return what the list is read from."""
        paths = list(access_paths(self.session, filters))
        path, listed, few = self._choose(paths, order)
        if path is None and order.column in _READ_WHOLE:
            listed = [one for one in paths if "engagement" not in one.indexes]
        left = filters
        for one in listed:
            left = without(left, one.of)
        if path is None:
            by = _READ_WHOLE.get(order.column, order.column)
            index = "NOT INDEXED" if by == "id" else f"INDEXED BY ix_tweets_{by}"
            query = _select(ON_TWEETS, order).where(*conditions(left), *_among(Tweet.id, listed))
            return Source(query.with_hint(Tweet, index, "sqlite"), ON_TWEETS)
        left = without(left, path.of)
        if path.table is Tweet or path.gives(order):
            return _through_index(path, filters, left, order, listed)
        if _has_hours(path, order) and not few:
            return self._hour_by_hour(path, filters, left, listed)
        joined = _select(ON_TWEETS, order).join(path.table, path.columns.id == Tweet.id)
        joined = joined.where(*path.own, *conditions(left), *_among(Tweet.id, listed)).with_hint(*path.hint(order))
        return Source(joined.with_hint(Tweet, "NOT INDEXED", "sqlite"), ON_TWEETS)

    def _choose(self, paths: Sequence[AccessPath], order: SortOrder) -> tuple[AccessPath | None, Sequence[AccessPath], bool]:
        """Return the path to read (None for all tweets in their order), those to list, and whether the first is of few tweets.

        Words come first, because a lookup of one tweet in their index takes longer than reading the tweet.
        """
        if len(paths) == 1 and paths[0].gives(order):
            return paths[0], (), False
        found = sorted(zip(self._estimates(paths), range(len(paths)), strict=True))
        numbered = [(number, paths[at]) for number, at in found]
        short = [(number, path) for number, path in numbered if number <= (LISTED_WORDS if path.guessed else LISTED)]
        sorting = [(number, path) for number, path in numbered if path.gives(order) or _has_hours(path, order)]
        sorting.sort(key=lambda each: not each[1].guessed)
        few = bool(numbered) and numbered[0][0] <= SORTED
        if not few and not sorting and len(short) < 2:
            return None, () if order.column == "id" else [path for _, path in short], False
        number, chosen = numbered[0] if few else (sorting or short)[0]
        return chosen, [path for other, path in short if path is not chosen and other <= 10 * number], few

    def _estimates(self, paths: Sequence[AccessPath]) -> list[int]:
        """Return the estimated number of tweets of each path: above FEW, it is extrapolated from the range of ids of that many.

        For a path that isn't in the order of ids, MANY is assumed.
        """
        counted = [path.ids.limit(FEW + 1).subquery() for path in paths]
        ends = [select(end(Tweet.id)).scalar_subquery() for end in (func.min, func.max)]
        asked = [select(literal(at), func.count(), func.max(some.c.id), *ends) for at, some in enumerate(counted)]
        rows = sorted(self.session.execute(union_all(*asked)).all()) if asked else []
        return [
            found if found <= FEW else found * (highest - lowest) // (last - lowest) if "id" in path.indexes else MANY
            for path, (_, found, last, lowest, highest) in zip(paths, rows, strict=True)
        ]

    def _hour_by_hour(self, path: AccessPath, filters: Filters, left: Filters, listed: Sequence[AccessPath]) -> Source:
        """Return a source of tweets with words by time, read hour by hour by the range of each hour's ids.

        The index of words gives ids in their order only. CROSS makes SQLite read the hours first.
        """
        words, hour = path.columns.id, IdRange.start
        query = _select(ON_TWEETS, BY_TIME).select_from(IdRange).with_hint(IdRange, "CROSS", "sqlite")
        query = query.join(path.table, words.between(IdRange.first_id, IdRange.last_id)).join(Tweet, Tweet.id == words)
        query = query.where(*hours_of(filters), whole_hour(Tweet.created) == hour, *conditions(left), *_among(words, listed))
        return Source(query, ON_TWEETS._replace(hour=hour))


class PostgreSQLPlanner(NamedTuple):
    """Plans for PostgreSQL, which chooses the indexes itself, by statistics, and ignores hints.

    Few tweets are gathered in a materialized table first. Otherwise it may read all tweets in their order until it has enough
    of the few.
    """

    session: Session

    def plan(self, filters: Filters, order: SortOrder) -> Source:
        """Return what the list is read from."""
        path, few = self._choose(list(access_paths(self.session, filters)), order)
        if path is None:
            every = conditions(filters, whole=order.column in _READ_WHOLE)
            return Source(_select(ON_TWEETS, order).where(*every), ON_TWEETS)
        left = without(filters, path.of)
        if path.table is not Tweet and not path.gives(order):
            return self._lookup(path, left, order)
        found = _through_index(path, filters, left, order)
        if path.gives(order) and not (few and path.guessed):
            return found
        gathered = found.query.cte("few").prefix_with("MATERIALIZED")
        return Source(select(gathered.c.id, gathered.c.value), _by_value(gathered))

    def _choose(self, paths: Sequence[AccessPath], order: SortOrder) -> tuple[AccessPath | None, bool]:
        """Return the path that leads to few tweets, else one that gives the order, else None; and whether it leads to few.

        Words come last, because all tweets with them are read to find the first ones in an order.
        """
        sorting = [path for path in paths if path.gives(order)]
        if len(paths) == 1 and sorting and not paths[0].guessed:
            return paths[0], False
        numbers = [_count(self.session, path) for path in paths]
        if numbers and min(numbers) <= FEW:
            return paths[numbers.index(min(numbers))], True
        return min(sorting, key=lambda path: path.guessed, default=None), False

    def _lookup(self, path: AccessPath, left: Filters, order: SortOrder) -> Source:
        """Return a source of the few tweets that a path leads to, looked up one by one: the offset enforces that join."""
        few = path.ids.cte("few").prefix_with("MATERIALIZED")
        theirs = _select(ON_TWEETS, order).where(Tweet.id == few.c.id, *conditions(left))
        found = theirs.correlate(few).offset(0).lateral("found")
        joined = select(found.c.id, found.c.value).select_from(few).join(found, true())
        return Source(joined, _by_value(found))


def _through_index(
    path: AccessPath, filters: Filters, left: Filters, order: SortOrder, listed: Sequence[AccessPath] = ()
) -> Source:
    """Return a source that reads a path's own table, and looks up in the tweets what that table does not have."""
    query = _select(path.columns, order).where(*path.own)
    if path.table is Tweet:
        query = query.where(*conditions(left))
    else:
        if order.column == "created":  # bounds the index, so that older and newer tweets aren't skipped one by one
            query = query.where(*within(path.columns.created, filters))
            left = left._replace(since=None, until=None)
        if left != ALL:
            query = query.where(exists().where(Tweet.id == path.columns.id, *conditions(left)))
    return Source(query.where(*_among(path.columns.id, listed)).with_hint(*path.hint(order)), path.columns)


def _select(columns: Columns, order: SortOrder) -> Select[Any]:
    return select(columns.id.label("id"), getattr(columns, order.column).label("value"))


def _among(own: Any, listed: Sequence[AccessPath]) -> list[ColumnElement[bool]]:
    """Return the conditions that an id is in all of these lists. The sum keeps SQLite from searching by each id of a list."""
    return [(own + 0).in_(path.ids) for path in listed]


def _has_hours(path: AccessPath, order: SortOrder) -> bool:
    return path.guessed and order.column == "created"


def _count(session: Session, path: AccessPath) -> int:
    """Return the number of tweets of a path, counted up to one more than FEW."""
    some = path.ids.limit(FEW + 1).subquery()
    with by_bitmaps(session) if path.guessed else nullcontext():
        return session.scalar(select(func.count()).select_from(some)) or 0
