"""Sources: what a sorted list of tweets is read from, so that a page costs about the same at any depth.

A list is read in its order through an index of one of its filters, and what the others refuse is skipped. Where a filter lets
only few tweets through, they are gathered and sorted instead; how many those are is counted, for databases guess it.
SQLite gets the ids that another filter lets through as a list, where they aren't many: to put an id into a list takes a tenth
of the time that it takes to look up a tweet that is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, func, select, true
from sqlalchemy.orm import Session

from database.functions import whole_hour
from models import Author, IdRange, Tweet
from queries.access_paths import FEW, ON_TWEETS, AccessPath, access_paths, estimates, guesses, number
from queries.filters import ALL, Filters, conditions, within, without
from queries.orders import BY_ID, Columns, PagePosition, SortOrder

SORTED = 3000  # what SQLite gathers: of more, enough are soon met in an order
SECOND = timedelta(seconds=1)


class Source(NamedTuple):
    """A query of ids and of what they are sorted by, and the columns to sort it by."""

    query: Select[Any]
    columns: Columns


class ChosenPath(NamedTuple):
    """The access path that a list is read through, None for all tweets in their order; and those whose ids are listed.

    `few`: so few are there that they are gathered.
    """

    path: AccessPath | None
    listed: Sequence[AccessPath] = ()
    few: bool = False


def source(
    session: Session, filters: Filters, order: SortOrder, *, after: PagePosition | None = None, since_id: int | None = None
) -> Source:
    """Return from where the wanted tweets above `since_id` are read in this order, those that come after a position."""
    filters = _narrow(filters, order, after)
    found = _source(session, filters, order)
    return found._replace(query=found.query.where(*_id_bounds(session, filters, order, found.columns.id, after, since_id)))


def _narrow(filters: Filters, order: SortOrder, after: PagePosition | None) -> Filters:
    """Narrow the filter by what the list is sorted by to what comes after a position.

    Of two lower bounds of a column SQLite may enter the index by the wrong one, and skip all that lies between them.
    """
    if after is None:
        return filters
    value: Any = after.value
    if isinstance(value, datetime):
        if filters.until is not None and order.descending:
            return filters._replace(until=value + SECOND)
        if filters.since is not None and not order.descending:
            return filters._replace(since=value)
    elif value is not None and filters.min_followers is not None and not order.descending:
        return filters._replace(min_followers=value)
    return filters


def _id_bounds(
    session: Session, filters: Filters, order: SortOrder, own: Any, after: PagePosition | None, since_id: int | None
) -> Iterator[ColumnElement[bool]]:
    """Give the conditions between which ids the tweets are; PostgreSQL's tables are in parts by id."""
    lowest = [since_id + 1] if since_id is not None else []
    highest = list[int]()
    if order == BY_ID and after:
        lowest.append(after.id + 1)
    elif order.column == "id" and after:
        highest.append(after.id - 1)
    if filters.since is not None or filters.until is not None:
        first, last = _ids_of_period(session, filters)
        lowest.append(first)
        highest.append(last)
    if lowest:
        yield own >= max(lowest)
    if highest:
        yield own <= min(highest)


def _ids_of_period(session: Session, filters: Filters) -> tuple[int, int]:
    """Return the lowest and the highest id of the tweets of a period's hours."""
    ranges = select(func.min(IdRange.first_id), func.max(IdRange.last_id)).where(*_hours(filters))
    first, last = session.execute(ranges).one()
    return first or 0, last or 0


def _hours(filters: Filters) -> Iterator[ColumnElement[bool]]:
    if filters.since is not None:
        yield IdRange.start > int(filters.since.timestamp()) - whole_hour.seconds
    if filters.until is not None:
        yield IdRange.start < int(filters.until.timestamp()) + 1


def _source(session: Session, filters: Filters, order: SortOrder) -> Source:
    path, listed, few = _choose(session, list(access_paths(session, filters)), order)
    left = filters
    for one in listed:
        left = without(left, one.of)
    if path is None:
        index = "NOT INDEXED" if order.column == "id" else f"INDEXED BY ix_tweets_{order.column}"
        query = _select(ON_TWEETS, order).where(*conditions(left), *_among(Tweet.id, listed))
        return Source(query.with_hint(Tweet, index, "sqlite"), ON_TWEETS)
    left = without(left, path.of)
    if path.table is Tweet:
        query = _select(path.columns, order).where(*path.own, *conditions(left), *_among(Tweet.id, listed))
        found = Source(query.with_hint(*path.hint(order)), path.columns)
        return found if path.gives(order) else _materialized_source(session, found)
    if path.gives(order):
        query = _select(path.columns, order).where(*path.own, *_among(path.columns.id, listed)).with_hint(*path.hint(order))
        if order.column == "created":  # what is older or newer isn't skipped one by one
            query = query.where(*within(path.columns.created, filters))
            left = left._replace(since=None, until=None)
        if left != ALL:
            query = query.where(exists().where(Tweet.id == path.columns.id, *conditions(left)))
        found = Source(query, path.columns)
        return _materialized_source(session, found) if few and path.guessed else found
    if guesses(session):
        return _lookup_source(path, left, order)
    if _has_hours(path, order) and not few:
        return _by_hours(path, filters, left, listed)
    joined = _select(ON_TWEETS, order).join(path.table, path.columns.id == Tweet.id)
    joined = joined.where(*path.own, *conditions(left), *_among(Tweet.id, listed)).with_hint(*path.hint(order))
    return Source(joined.with_hint(Tweet, "NOT INDEXED", "sqlite"), ON_TWEETS)


def _choose(session: Session, paths: Sequence[AccessPath], order: SortOrder) -> ChosenPath:
    """Choose the path that leads to few, or else one that gives the order, or none."""
    sorting = [path for path in paths if path.gives(order)]
    if len(paths) == 1 and sorting and not (paths[0].guessed and guesses(session)):
        return ChosenPath(paths[0])
    return _choose_by_statistics(session, paths, sorting) if guesses(session) else _choose_by_hints(session, paths, order)


def _choose_by_statistics(session: Session, paths: Sequence[AccessPath], sorting: Sequence[AccessPath]) -> ChosenPath:
    """Choose for a database that chooses the indexes by itself: of a list of words it reads all until it meets enough."""
    numbers = [number(session, path) for path in paths]
    if numbers and min(numbers) <= FEW:
        return ChosenPath(paths[numbers.index(min(numbers))], few=True)
    return ChosenPath(min(sorting, key=lambda path: path.guessed, default=None))


def _choose_by_hints(session: Session, paths: Sequence[AccessPath], order: SortOrder) -> ChosenPath:
    """Choose for SQLite: words before all, for asking their index about one tweet takes longer than reading the tweet."""
    found = sorted(zip(estimates(session, paths), range(len(paths)), strict=True))
    numbered = [(number, paths[at]) for number, at in found]
    short = [(number, path) for number, path in numbered if number <= path.listed]
    sorting = [(number, path) for number, path in numbered if path.gives(order) or _has_hours(path, order)]
    sorting.sort(key=lambda each: not each[1].guessed)
    few = bool(numbered) and numbered[0][0] <= SORTED
    if not few and not sorting and len(short) < 2:
        return ChosenPath(None, [] if order.column == "id" else [path for _, path in short])
    number, chosen = numbered[0] if few else (sorting or short)[0]
    return ChosenPath(chosen, [path for other, path in short if path is not chosen and other <= 10 * number], few)


def _has_hours(path: AccessPath, order: SortOrder) -> bool:
    return path.guessed and order.column == "created"


def _select(columns: Columns, order: SortOrder) -> Select[Any]:
    return select(columns.id.label("id"), getattr(columns, order.column).label("value"))


def _among(own: Any, listed: Sequence[AccessPath]) -> list[ColumnElement[bool]]:
    """Return the conditions that an id is in all of these lists. The sum keeps SQLite from looking each of a list up."""
    return [(own + 0).in_(path.ids) for path in listed]


def _by_hours(path: AccessPath, filters: Filters, left: Filters, listed: Sequence[AccessPath]) -> Source:
    """Return a source that is read hour by hour, each by the range of its tweets' ids. SQLite only.

    That is how tweets that have words are read by time, for the index of words is by id. By CROSS SQLite is told that the
    hours come first.
    """
    words, hour = path.columns.id, IdRange.start
    query = _select(ON_TWEETS, SortOrder("created")).select_from(IdRange).with_hint(IdRange, "CROSS", "sqlite")
    query = query.join(path.table, words.between(IdRange.first_id, IdRange.last_id)).join(Tweet, Tweet.id == words)
    query = query.where(*_hours(filters), whole_hour(Tweet.created) == hour, *conditions(left), *_among(words, listed))
    return Source(query, ON_TWEETS._replace(hour=hour))


def _lookup_source(path: AccessPath, left: Filters, order: SortOrder) -> Source:
    """Return a source of the few tweets that a path leads to, looked up one by one: with an offset they are joined so."""
    few = path.ids.cte("few").prefix_with("MATERIALIZED")
    theirs = _select(ON_TWEETS, order).where(Tweet.id == few.c.id, *conditions(left))
    met = theirs.correlate(few).offset(0).lateral("met")
    return Source(select(met.c.id, met.c.value).select_from(few).join(met, true()), Columns(met.c.id, met.c.value, met.c.value))


def _materialized_source(session: Session, few: Source) -> Source:
    """Return a source of few tweets, which are sorted once they are there.

    PostgreSQL takes no hints, and may find it cheaper to go through all tweets in their order until it has met enough of these.
    """
    if not guesses(session):
        return few
    found = few.query.cte("few").prefix_with("MATERIALIZED")
    return Source(select(found.c.id, found.c.value), Columns(found.c.id, found.c.value, found.c.value))


def wrote(session: Session, filters: Filters) -> ColumnElement[bool]:
    """Return the condition on Author of who wrote a tweet that is wanted: whichever is quicker for few tweets, or for many."""
    left = filters._replace(author=None, min_followers=None)
    own = [Author.followers >= filters.min_followers] if filters.min_followers is not None else []
    own += [func.lower(Author.username) == filters.author] if filters.author is not None else []
    if left == ALL:
        return and_(true(), *own)
    if min(number(session, path) for path in access_paths(session, left)) <= FEW:
        wanted = source(session, left, BY_ID).query.subquery()
        return and_(Author.id.in_(select(Tweet.author_id).join(wanted, wanted.c.id == Tweet.id)), *own)
    theirs = select(Tweet.id).where(Tweet.author_id == Author.id, *conditions(left)).correlate(Author)
    if guesses(session):
        theirs = theirs.offset(0)  # asked of one author after the other; without, all that is wanted is gathered first
    return and_(theirs.with_hint(Tweet, "INDEXED BY ix_tweets_author_id_id", "sqlite").exists(), *own)
