"""Lists of tweets: by filters, in an order, read page by page or in short batches.

Each batch is read in a transaction of its own, because one that is open long would hold up WAL checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from models import IdRange
from queries.counters import generation
from queries.filters import ALL, BY_ID, Filters, PagePosition, SortOrder
from queries.plans import Source, hours_of, plan
from queries.zones import HOUR_S

T = TypeVar("T")
BATCH = 1000
FIRST = -1


class TweetsReplaced(Exception):
    """The tweets that are being read were dropped or replaced."""


class BatchReader(Protocol[T]):
    """Reads tweets in some form."""

    def rows(self, session: Session, ids: Sequence[int]) -> list[T]:
        """Return the tweets with these ids, in this order; missing ones are left out."""

    def run(self, session: Session, *, after: int, most: int) -> tuple[list[T], int | None]:
        """Return at most `most` of all tweets with ids above `after`, lowest id first, and the id of the last one."""


class Readable(Protocol):
    """A database, or what opens its sessions."""

    def reading(self) -> AbstractContextManager[Session]: ...


class TweetList(NamedTuple):
    """A list: the tweets that match the filters and have ids above `since_id`, in an order."""

    filters: Filters = ALL
    order: SortOrder = BY_ID
    since_id: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it has all tweets above some id, by id."""
        return self.filters == ALL and self.order == BY_ID


class Batch(NamedTuple, Generic[T]):
    """Some tweets of a list, and the position of the last one; None where the list ends with them."""

    rows: list[T]
    last: PagePosition | None


def batch(session: Session, wanted: TweetList, reader: BatchReader[T], *, after: PagePosition | None, most: int) -> Batch[T]:
    """Return at most `most` tweets of a list that come after a position."""
    if wanted.whole:
        begin = after.id if after else FIRST if wanted.since_id is None else wanted.since_id
        rows, last = reader.run(session, after=begin, most=most)
        return Batch(rows, PagePosition(None, last) if last is not None and len(rows) == most else None)
    found = page(session, wanted, after=after, most=most)
    return Batch(reader.rows(session, [place.id for place in found]), found[-1] if len(found) == most else None)


def batches(
    database: Readable,
    wanted: TweetList,
    reader: BatchReader[T],
    *,
    after: PagePosition | None = None,
    most: int = BATCH,
    of: int | None = None,
) -> Iterator[list[T]]:
    """Yield a list, or the rest of it after a position, in batches.

    Raises TweetsReplaced if the tweets have been dropped or restored since the first batch, or since the generation `of`:
    the rest would belong to another database.
    """
    began = of
    while True:
        with database.reading() as session:
            found, now = batch(session, wanted, reader, after=after, most=most), generation(session)
        if began not in (None, now):
            raise TweetsReplaced("the tweets were dropped or restored while they were read")
        began, after = now, found.last
        if found.rows:
            yield found.rows
        if after is None:
            return


def page(session: Session, wanted: TweetList, *, after: PagePosition | None, most: int) -> list[PagePosition]:
    """Return the positions of at most `most` tweets of a list that come after a position."""
    found: list[PagePosition] = []
    for part in sorted_queries(session, wanted, after=after):
        if len(found) < most:
            rows = session.execute(part.limit(most - len(found))).all()
            found += [PagePosition(None if wanted.order.column == "id" else value, own) for own, value in rows]
    return found


def source(session: Session, wanted: TweetList, *, after: PagePosition | None = None) -> Source:
    """Return what the tweets of a list that come after a position are read from."""
    filters = _narrow(wanted, after)
    found = plan(session, filters, wanted.order)
    bounds = _id_bounds(session, wanted._replace(filters=filters), found.columns.id, after)
    return found._replace(query=found.query.where(*bounds))


def _narrow(wanted: TweetList, after: PagePosition | None) -> Filters:
    """Return the filters with their bound of the sorted column moved to a position.

    Of two bounds of a column SQLite may enter the index by the worse one, and skip all rows between them.
    """
    filters, order, value = wanted.filters, wanted.order, after.value if after else None
    if isinstance(value, datetime):
        if filters.until is not None and order.descending:
            return filters._replace(until=value + timedelta(seconds=1))
        if filters.since is not None and not order.descending:
            return filters._replace(since=value)
    elif value is not None and not order.descending:
        if filters.min_followers is not None and order.column == "followers":
            return filters._replace(min_followers=value)
        if filters.min_engagement is not None and order.column == "engagement":
            return filters._replace(min_engagement=value)
    return filters


def _id_bounds(session: Session, wanted: TweetList, own: Any, after: PagePosition | None) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on the lowest and the highest id; PostgreSQL's tables are partitioned by id."""
    filters, order, since_id = wanted.filters, wanted.order, wanted.since_id
    lowest = [since_id + 1] if since_id is not None else []
    highest = list[int]()
    if order == BY_ID and after:
        lowest.append(after.id + 1)
    elif order.column == "id" and after:
        highest.append(after.id - 1)
    if filters.since is not None or filters.until is not None:
        ranges = select(func.min(IdRange.first_id), func.max(IdRange.last_id)).where(*hours_of(filters))
        first, last = session.execute(ranges).one()
        lowest.append(first or 0)
        highest.append(last or 0)
    if lowest:
        yield own >= max(lowest)
    if highest:
        yield own <= min(highest)


def sorted_queries(session: Session, wanted: TweetList, *, after: PagePosition | None = None) -> list[Select[Any]]:
    """Return the queries whose rows, one query after the other, are a list after a position.

    Tweets of which the followers, or the numbers, are unknown come last in both directions.
    """
    query, columns = source(session, wanted, after=after)
    order = wanted.order
    if order.column == "id":  # the source is bounded by the position already
        return [_sort(query, order, (columns.id,), None)]
    keys = (getattr(columns, order.column), columns.id)
    if order.column == "created":
        hour = () if columns.hour is None else (columns.hour,)
        return [_sort(query, order, (*hour, *keys), after and (*(_hour(after.value) for _ in hour), *after))]
    known, unknown = keys[0].is_not(None), keys[0].is_(None)
    if after and after.value is None:
        return [_sort(query.where(unknown), order, keys[1:], after[1:])]
    return [_sort(query.where(known), order, keys, after), _sort(query.where(unknown), order, keys[1:], None)]


def _hour(when: Any) -> int:
    return int(when.timestamp()) // HOUR_S * HOUR_S


def _sort(query: Select[Any], order: SortOrder, keys: tuple[Any, ...], after: tuple[Any, ...] | None) -> Select[Any]:
    if after:
        query = query.where(_beyond(keys, after, descending=order.descending))
    sorted_by = [key for key in keys if not isinstance(key, BindParameter)]  # else SQLite would sort by a constant
    return query.order_by(*(key.desc() if order.descending else key for key in sorted_by))


def _beyond(keys: tuple[Any, ...], values: tuple[Any, ...], *, descending: bool) -> ColumnElement[bool]:
    """Return the condition of the rows after these values; the first column bounds an index by itself."""
    first, value = keys[0], values[0]
    if len(keys) == 1:
        beyond: ColumnElement[bool] = first < value if descending else first > value
        return beyond
    bound: ColumnElement[bool] = first <= value if descending else first >= value
    return and_(bound, or_(first != value, _beyond(keys[1:], values[1:], descending=descending)))
