"""Listings: which posts of a tag are still to be bought, and how far they have been read.

A poll reads what is newer than the tag's since_id. It is stored with each page, so that a run that was killed resumes at the
next page; the since_id moves only with the last page. If the tag's number ends a poll early, the rest becomes a gap that later
runs fill. X's recent search reaches seven days back; what is older than REACH is known to be out of reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Update, and_, case, delete, func, literal, select, update
from sqlalchemy.orm import Session

from collector.runs.tags import TagOrder
from collector.values import ResultPage
from collector.x.client import Search, SearchAnswer
from collector.x.clock import XClock
from models import BackfillSpan, Listing, Reservation, Tag
from queries.gaps import first_id, snowflake_time

REACH = timedelta(days=6, hours=23)
FARTHEST = timedelta(days=6, hours=23, minutes=55)
SETTLING = timedelta(seconds=30)


class ListingPart(NamedTuple):
    """A listing as in models.Listing, without an id until it is stored. With `archive` it is read from the full archive."""

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
        """Return the columns of its row, without the id."""
        return {name: value for name, value in self._asdict().items() if name not in ("id", "archive")}


class TagListings(NamedTuple):
    """A tag's since_id, the poll that an earlier run did not finish, and the gaps that recent search may fill, newest first."""

    since_id: int | None
    unfinished: ListingPart | None
    gaps: Sequence[ListingPart]


def tag_listings(session: Session, tag_id: int, *, now: datetime | None = None) -> TagListings:
    """Return what is known of a tag's history.

    With `now`, a listing that ends on an earlier UTC day comes without its token and continues by its lowest id: X has been
    seen to give the same post again with a fresh token, which costs nothing on the same day only. It keeps a token whose page
    X may have sold today, because the same request costs nothing more and settles its reservation.
    """
    mine = and_(Listing.tag_id == Tag.id, ~Listing.expired)
    query = select(Tag.since_id, Listing).outerjoin(Listing, mine).where(Tag.id == tag_id).order_by(Listing.before.desc())
    rows = session.execute(query).all()
    today = first_id(now.replace(hour=0, minute=0, second=0, microsecond=0)) if now else 0
    found = [_listing_part(row) for _, row in rows if row]
    if now and any(one.next_token and one.until_id < today for one in found):
        lost = _lost_requests(session, now=now)
        found = [one if one.until_id >= today or _is_of_token(one, lost) else one._replace(next_token=None) for one in found]
    unfinished = next((listing for listing in found if not listing.gap), None)
    return TagListings(rows[0][0], unfinished, [listing for listing in found if listing.gap])


def begin_tag(session: Session, order: TagOrder, run_id: int, *, now: datetime) -> TagListings:
    """Mark the gaps of a tag that X's recent search doesn't reach any more as expired, and return what else is known of it."""
    listed, lowest = tag_listings(session, order.tag.id, now=now), first_id(now - FARTHEST)
    for gap in listed.gaps:
        if gap.before <= lowest:
            _expire(session, order, gap, run_id)
    return listed._replace(gaps=[gap for gap in listed.gaps if gap.before > lowest])


def new_poll(order: TagOrder, since_id: int | None, clock: XClock) -> ListingPart | None:
    """Return the poll for what is newer than the tag's since_id and older than 30 s, or None if there can be nothing."""
    sure, until_id = clock.is_known, first_id(clock.now() - SETTLING)
    if since_id is not None and until_id <= since_id + 1:
        return None
    watermark = until_id - 1 if sure else None
    return ListingPart(None, since_id, until_id, until_id, order.query, watermark=watermark, wanted=order.most)


def open_gaps(session: Session, *conditions: ColumnElement[bool]) -> Sequence[ListingPart]:
    """Return the gaps that meet these conditions, expired ones included, newest first."""
    rows = select(Listing).where(Listing.gap, *conditions).order_by(Listing.before.desc())
    return [_listing_part(row) for row in session.scalars(rows)]


def lost_gaps(session: Session, tag_id: int, *, now: datetime) -> Sequence[ListingPart]:
    """Return the gaps of which X may have sold a page today that never arrived: today it costs nothing more."""
    lost = {listing_id for listing_id, _ in _lost_requests(session, now=now)}
    return [gap for gap in tag_listings(session, tag_id, now=now).gaps if gap.id in lost]


def begin(session: Session, order: TagOrder, listing: ListingPart, run_id: int, *, now: datetime) -> ListingPart | None:
    """Store the part of a listing that X can still list and return it; returns None if there is none.

    What is out of reach is stored as an expired gap, which the API shows as lost to recent search. A listing that is being read
    may reach a little farther than a new one, or its lower end would be cut again with every page.
    """
    if listing.archive:
        return listing
    limit = first_id(now - (FARTHEST if listing.pages else REACH))
    stale, lowest = listing.since_id is not None and listing.since_id < limit, first_id(now - REACH)
    if listing.before <= (lowest if stale else limit):
        _expire(session, order, listing, run_id)
        return None
    if listing.id is None:
        row = Listing(tag_id=order.tag.id, run_id=run_id, expired=False, **listing.columns())
        session.add(row)
        session.flush()
        listing = listing._replace(id=row.id)
    return _shorten(session, order, listing, lowest, run_id) if stale else listing


def without_token(session: Session, listing: ListingPart) -> ListingPart:
    """Make a listing continue by until_id and return it, because X did not accept its token."""
    session.execute(_row(listing).values(next_token=None, until_id=listing.before))
    return listing._replace(next_token=None, until_id=listing.before)


def advance(
    session: Session,
    order: TagOrder,
    listing: ListingPart,
    run_id: int,
    *,
    page: ResultPage,
    answer: SearchAnswer,
    capped: bool,
) -> ListingPart | None:
    """Record a stored page and return what is left of the listing, or None if it has ended.

    `capped` says that the tag's number is reached with this page.
    """
    watermark = listing.watermark or _watermark(listing.until_id, answer)
    oldest = min(listing.before, page.oldest or listing.before)
    if not page.next_token:
        _grow_span(session, listing, listing.since_id)
        _end(session, order, listing, watermark, read_from=min(oldest, first_id(snowflake_time(listing.until_id) - REACH)))
        return None
    if capped and not listing.gap and listing.since_id is None:
        _end(session, order, listing, watermark, read_from=oldest)
        return None
    rest = listing._replace(
        before=oldest,
        until_id=listing.until_id if order.query == listing.query and listing.next_token else listing.before,
        query=order.query,
        next_token=page.next_token,
        watermark=watermark,
        wanted=None if listing.wanted is None else listing.wanted - len(page.posts),
        pages=listing.pages + 1,
    )
    if capped and not listing.gap:
        rest = rest._replace(gap=True, wanted=None)
        _move(session, order, watermark)
    _grow_span(session, listing, oldest - 1)
    session.execute(_row(listing).values(run_id=run_id, **rest.columns()))
    return None if capped else rest


def add_expired_gap(
    session: Session, order: TagOrder, run_id: int, *, since_id: int, before: int, span_id: int | None = None
) -> None:
    """Store a gap between two ids, both exclusive, that X's recent search doesn't reach; none where there is no id between."""
    if before - since_id > 1:
        ends = {"since_id": since_id, "until_id": before, "before": before, "span_id": span_id}
        session.add(Listing(tag_id=order.tag.id, run_id=run_id, gap=True, expired=True, query=order.query, pages=0, **ends))
        session.flush()


def leave_gap(session: Session, order: TagOrder, listing: ListingPart) -> None:
    """Make what is left of a listing that was read a gap, which a later run lists anew.

    The gap of a tag's first poll reaches back as far as X does, and the tag's history begins there.
    """
    farthest = first_id(snowflake_time(listing.until_id) - REACH)
    since_id = farthest - 1 if listing.since_id is None else listing.since_id
    watermark = listing.watermark or listing.until_id - 1
    if listing.before - since_id <= 1:
        _end(session, order, listing, watermark, read_from=listing.before)
        return
    ends = {"since_id": since_id, "until_id": listing.before, "next_token": None}
    session.execute(_row(listing).values(gap=True, wanted=None, **ends))
    if not listing.gap:
        _move(session, order, watermark, read_from=farthest if listing.since_id is None else None)


def forget_unread(session: Session, listing: ListingPart) -> None:
    """Delete a poll that X refused before its first page; the next run polls anew."""
    session.execute(delete(Listing).where(Listing.id == listing.id, ~Listing.gap, Listing.pages == 0))


def _shorten(session: Session, order: TagOrder, listing: ListingPart, lowest: int, run_id: int) -> ListingPart:
    """Raise the lower end of a listing to where X accepts it, and return it; what lies below becomes an expired gap."""
    if listing.since_id is not None:
        add_expired_gap(session, order, run_id, since_id=listing.since_id, before=lowest)
    changes = {"since_id": lowest - 1, "until_id": listing.before, "next_token": None}
    session.execute(_row(listing).values(**changes))
    return listing._replace(since_id=lowest - 1, until_id=listing.before, next_token=None)


def _watermark(until_id: int, answer: SearchAnswer) -> int:
    """Return the id up to which a poll is complete whose end came from this machine's clock, as X's was not known.

    Posts become searchable up to 30 s late. If X's Date shows that this machine's clock is ahead, until_id is too young.
    """
    fits = until_id <= first_id(answer.observed - SETTLING + timedelta(seconds=1))
    return (until_id if fits else first_id(answer.requested - SETTLING)) - 1


def _expire(session: Session, order: TagOrder, listing: ListingPart, run_id: int) -> None:
    session.execute(delete(Listing).where(Listing.id == listing.id))
    if listing.since_id is not None:
        add_expired_gap(session, order, run_id, since_id=listing.since_id, before=listing.before)
    if not listing.gap:
        read_from = listing.before if listing.since_id is None else None
        _move(session, order, listing.watermark or listing.until_id - 1, read_from=read_from)


def _end(session: Session, order: TagOrder, listing: ListingPart, watermark: int, *, read_from: int) -> None:
    session.execute(delete(Listing).where(Listing.id == listing.id))
    if not listing.gap:
        _move(session, order, watermark, read_from=read_from if listing.since_id is None else None)


def _grow_span(session: Session, listing: ListingPart, since_id: int | None) -> None:
    """Extend the span of a backfill down to this id, exclusive."""
    if listing.span_id is not None:
        session.execute(update(BackfillSpan).where(BackfillSpan.id == listing.span_id).values(since_id=since_id))


def _move(session: Session, order: TagOrder, watermark: int, *, read_from: int | None = None) -> None:
    """Raise the tag's since_id to the watermark; `read_from` is where its history begins if this was its first poll.

    Nothing older than a tag's history is a gap.
    """
    reached = literal(watermark, BigInteger)
    values: dict[str, Any] = {"since_id": case((Tag.since_id > reached, Tag.since_id), else_=reached)}
    if read_from is not None:
        values["from_id"] = func.coalesce(Tag.from_id, literal(read_from - 1, BigInteger))
    session.execute(update(Tag).where(Tag.id == order.tag.id).values(**values))


def _lost_requests(session: Session, *, now: datetime) -> list[tuple[int | None, str]]:
    """Return the listings and requests of the pages that X may have sold today and that never arrived."""
    lost = (Reservation.day == now.date().isoformat(), ~Reservation.in_flight)
    return [
        (row.listing_id, row.request)
        for row in session.execute(select(Reservation.listing_id, Reservation.request).where(*lost))
    ]


def _is_of_token(listing: ListingPart, lost: Sequence[tuple[int | None, str]]) -> bool:
    return any(listing_id == listing.id and f" at {listing.next_token}" in request for listing_id, request in lost)


def _row(listing: ListingPart) -> Update:
    return update(Listing).where(Listing.id == listing.id)


def _listing_part(row: Listing) -> ListingPart:
    return ListingPart(*(getattr(row, name) for name in ListingPart._fields if name != "archive"))
