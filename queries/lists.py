"""Lists of tweets: which are wanted, in which order, and as what they are read, page by page or in short batches.

Each batch is read in a transaction of its own, for one that is open long would hold up WAL checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy.orm import Session

from queries.batches import TweetsReplaced
from queries.counters import generation
from queries.filters import ALL, Filters
from queries.orders import BY_ID, PagePosition, SortOrder, sort_parts
from queries.sources import source

T = TypeVar("T")
BATCH = 1000
FIRST = -1


class BatchReader(Protocol[T]):
    """As what tweets are read."""

    def rows(self, session: Session, ids: Sequence[int]) -> list[T]:
        """Return the tweets with these ids, in this order; what is gone is left out."""

    def run(self, session: Session, *, after: int, most: int) -> tuple[list[T], int | None]:
        """Return at most `most` of all tweets with ids above `after`, oldest id first, and the id of the last one."""


class Readable(Protocol):
    """Something that gives sessions to read with."""

    def reading(self) -> AbstractContextManager[Session]: ...


class TweetList(NamedTuple):
    """What a list has: tweets with ids above `since_id` that the filters let through, in an order."""

    filters: Filters = ALL
    order: SortOrder = BY_ID
    since_id: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it has all tweets there are above some id, by id."""
        return self.filters == ALL and self.order == BY_ID


class Batch(NamedTuple, Generic[T]):
    """Some tweets of a list, and where the last of them stands; None where the list ends with them."""

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
    """Give a list, or the rest of it after a position, in batches.

    Raises TweetsReplaced when the tweets are dropped or restored meanwhile, for the rest would belong to another database: one
    of another generation than `of`, if that is given.
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
    """Return where at most `most` tweets of a list stand, which come after a position."""
    found: list[PagePosition] = []
    query, columns = source(session, wanted.filters, wanted.order, after=after, since_id=wanted.since_id)
    for part in sort_parts(query, wanted.order, after, columns):
        if len(found) < most:
            rows = session.execute(part.limit(most - len(found))).all()
            found += [PagePosition(None if wanted.order.column == "id" else value, own) for own, value in rows]
    return found
