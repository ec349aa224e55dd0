"""Listings: which posts of a tag are still to be bought, and how far reading them has come.

A poll reads what is newer than the tag's since_id. It is kept with each page, so that a run which is killed goes on from the
next page, and the since_id moves only with the last one. Where the tag's number ends a poll early, what it left becomes a gap
that later runs fill. X's recent search reaches seven days back; what is older than REACH is known to be out of reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Update, delete, select, update
from sqlalchemy.orm import Session

from collector.runs.terms import TagOrder
from collector.values import ResultPage
from collector.x.client import Search, SearchAnswer
from collector.x.clock import XClock
from models import BackfillSpan, Listing, Reservation, Tag
from queries.snowflakes import first_id, snowflake_time

REACH = timedelta(days=6, hours=23)
FARTHEST = timedelta(days=6, hours=23, minutes=55)
SETTLING = timedelta(seconds=30)


class ListingPart(NamedTuple):
    """A listing as models.Listing has it; one that has not begun has no id yet. `archive`: it is asked of the full archive."""

    id: int | None
    since_id: int | None
    until_id: int
    before: int
    query: str
    gap: bool = False
    watermark: int | None = None
    next_token: str | None = None
    wanted: int | None = None
    pages: int = 0
    span_id: int | None = None
    archive: bool = False

    def search(self, query: str, posts: int) -> Search:
        """Return the request for the next page. A token continues only the query that it was given for."""
        if self.next_token and query == self.query:
            return Search(query, posts, self.since_id, self.until_id, self.next_token, archive=self.archive)
        return Search(query, posts, self.since_id, self.before, archive=self.archive)

    def columns(self) -> dict[str, Any]:
        """Return what a row of listings keeps of it, but for its id."""
        return {name: value for name, value in self._asdict().items() if name not in ("id", "archive")}


def unfinished_poll(session: Session, tag_id: int) -> ListingPart | None:
    """Return the poll that an earlier run did not end, or None."""
    row = session.scalar(select(Listing).where(Listing.tag_id == tag_id, ~Listing.gap))
    return _listing_part(row) if row else None


def poll(session: Session, order: TagOrder, clock: XClock) -> ListingPart | None:
    """Return the poll for what is newer than the tag's since_id and older than 30 s, or None where there can be nothing."""
    since_id = session.scalar(select(Tag.since_id).where(Tag.id == order.tag.id))
    sure, until_id = clock.is_known, first_id(clock.now() - SETTLING)
    if since_id is not None and until_id <= since_id + 1:
        return None
    watermark = until_id - 1 if sure else None
    return ListingPart(None, since_id, until_id, until_id, order.query, watermark=watermark, wanted=order.most)


def gaps(session: Session, tag_id: int) -> Sequence[ListingPart]:
    """Return the gaps that X's recent search may still fill, newest first."""
    return open_gaps(session, Listing.tag_id == tag_id, ~Listing.expired)


def open_gaps(session: Session, *conditions: ColumnElement[bool]) -> Sequence[ListingPart]:
    """Return the gaps of which these conditions hold, newest first."""
    rows = select(Listing).where(Listing.gap, *conditions).order_by(Listing.before.desc())
    return [_listing_part(row) for row in session.scalars(rows)]


def lost_gaps(session: Session, tag_id: int, *, now: datetime) -> Sequence[ListingPart]:
    """Return the gaps of which X may have sold a page today that never arrived: today it costs nothing more."""
    rows = select(Reservation.listing_id).where(Reservation.day == now.date().isoformat(), ~Reservation.in_flight)
    lost = set(session.scalars(rows))
    return [gap for gap in gaps(session, tag_id) if gap.id in lost]


def expire_gaps(session: Session, order: TagOrder, run_id: int, *, now: datetime) -> None:
    """Mark the gaps that X's recent search doesn't reach any more."""
    lowest = first_id(now - FARTHEST)
    for stretch in gaps(session, order.tag.id):
        if stretch.before <= lowest:
            _expire(session, order, stretch, run_id)


def begin(session: Session, order: TagOrder, stretch: ListingPart, run_id: int, *, now: datetime) -> ListingPart | None:
    """Return the part of a stretch that X can still list, on record; None where there is none.

    What is out of reach is recorded as an expired gap: it is lost to recent search, and said so. A listing that is being
    read may reach a little farther than one that begins, or its lower end would be cut again with every page.
    """
    if stretch.archive:
        return stretch
    limit = first_id(now - (FARTHEST if stretch.pages else REACH))
    stale, lowest = stretch.since_id is not None and stretch.since_id < limit, first_id(now - REACH)
    if stretch.before <= (lowest if stale else limit):
        _expire(session, order, stretch, run_id)
        return None
    if stretch.id is None:
        stretch = _record(session, order, stretch, run_id)
    return _shorten(session, order, stretch, lowest, run_id) if stale else stretch


def without_token(session: Session, stretch: ListingPart) -> ListingPart:
    """Return a stretch that goes on by until_id, for X did not take its token."""
    session.execute(_row(stretch).values(next_token=None, until_id=stretch.before))
    return stretch._replace(next_token=None, until_id=stretch.before)


def advance(
    session: Session,
    order: TagOrder,
    stretch: ListingPart,
    run_id: int,
    *,
    page: ResultPage,
    answer: SearchAnswer,
    query: str,
    capped: bool,
) -> ListingPart | None:
    """Record a stored page and return what is left of the stretch, or None where it has ended.

    `capped` says that the tag's number is reached with this page.
    """
    watermark = stretch.watermark or _watermark(stretch.until_id, answer)
    oldest = min(stretch.before, page.oldest or stretch.before)
    if not page.next_token:
        _grow_span(session, stretch, stretch.since_id)
        _end(session, order, stretch, watermark, read_from=min(oldest, first_id(snowflake_time(stretch.until_id) - REACH)))
        return None
    if capped and not stretch.gap and stretch.since_id is None:
        _end(session, order, stretch, watermark, read_from=oldest)
        return None
    rest = stretch._replace(
        before=oldest,
        until_id=stretch.until_id if query == stretch.query and stretch.next_token else stretch.before,
        query=query,
        next_token=page.next_token,
        watermark=watermark,
        wanted=None if stretch.wanted is None else stretch.wanted - len(page.posts),
        pages=stretch.pages + 1,
    )
    if capped and not stretch.gap:
        rest = rest._replace(gap=True, wanted=None)
        _move(session, order, watermark)
    _grow_span(session, stretch, oldest - 1)
    session.execute(_row(stretch).values(run_id=run_id, **rest.columns()))
    return None if capped else rest


def forget_unread(session: Session, stretch: ListingPart) -> None:
    """Take a poll off the record that X refused before its first page: the next run polls anew."""
    session.execute(delete(Listing).where(Listing.id == stretch.id, ~Listing.gap, Listing.pages == 0))


def _shorten(session: Session, order: TagOrder, stretch: ListingPart, lowest: int, run_id: int) -> ListingPart:
    """Return a stretch with the lower end that X takes for fresh; what lies below is an expired gap."""
    if stretch.since_id is not None:
        _add_expired(session, order, stretch.since_id, lowest, run_id)
    changes = {"since_id": lowest - 1, "until_id": stretch.before, "next_token": None}
    session.execute(_row(stretch).values(**changes))
    return stretch._replace(since_id=lowest - 1, until_id=stretch.before, next_token=None)


def _watermark(until_id: int, answer: SearchAnswer) -> int:
    """Return the id up to which a poll leaves nothing out whose end was told by this machine's clock, since X's was not known.

    Posts become searchable up to 30 s late. Where X's Date shows that this machine is ahead, until_id is too young.
    """
    fits = until_id <= first_id(answer.observed - SETTLING + timedelta(seconds=1))
    return (until_id if fits else first_id(answer.requested - SETTLING)) - 1


def _record(session: Session, order: TagOrder, stretch: ListingPart, run_id: int) -> ListingPart:
    row = Listing(tag_id=order.tag.id, run_id=run_id, expired=False, **stretch.columns())
    session.add(row)
    session.flush()
    return stretch._replace(id=row.id)


def _expire(session: Session, order: TagOrder, stretch: ListingPart, run_id: int) -> None:
    session.execute(delete(Listing).where(Listing.id == stretch.id))
    if stretch.since_id is not None:
        _add_expired(session, order, stretch.since_id, stretch.before, run_id)
    if not stretch.gap:
        _begin_history(session, order, stretch, stretch.before)
        _move(session, order, stretch.watermark or stretch.until_id - 1)


def _add_expired(session: Session, order: TagOrder, since_id: int, before: int, run_id: int) -> None:
    if before - since_id > 1:
        ends = {"since_id": since_id, "until_id": before, "before": before}
        row = Listing(tag_id=order.tag.id, run_id=run_id, gap=True, expired=True, query=order.query, pages=0, **ends)
        session.add(row)
        session.flush()


def _end(session: Session, order: TagOrder, stretch: ListingPart, watermark: int, *, read_from: int) -> None:
    session.execute(delete(Listing).where(Listing.id == stretch.id))
    if not stretch.gap:
        _begin_history(session, order, stretch, read_from)
        _move(session, order, watermark)


def _begin_history(session: Session, order: TagOrder, stretch: ListingPart, read_from: int) -> None:
    """Note where a tag's history begins, which is with its first run: nothing older is a gap."""
    if stretch.since_id is None:
        session.execute(update(Tag).where(Tag.id == order.tag.id, Tag.from_id.is_(None)).values(from_id=read_from - 1))


def _grow_span(session: Session, stretch: ListingPart, since_id: int | None) -> None:
    """Let the span of a backfill grow down to this id, exclusive."""
    if stretch.span_id is not None:
        session.execute(update(BackfillSpan).where(BackfillSpan.id == stretch.span_id).values(since_id=since_id))


def _move(session: Session, order: TagOrder, watermark: int) -> None:
    """Let the tag's since_id grow."""
    tag = session.scalars(select(Tag).where(Tag.id == order.tag.id)).one()
    tag.since_id = max(tag.since_id or 0, watermark)
    session.flush()


def _row(stretch: ListingPart) -> Update:
    return update(Listing).where(Listing.id == stretch.id)


def _listing_part(row: Listing) -> ListingPart:
    return ListingPart(*(getattr(row, name) for name in ListingPart._fields if name != "archive"))
