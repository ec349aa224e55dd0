"""`database verify`: recounts the aggregates and the ledger, and compares rows with payloads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, and_, case, exists, func, or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alchemy import Database
from collector.ledger import ledger
from collector.ledger.billing_days import counted_months
from collector.ledger.prices import Billing
from collector.tweets import checks, derived
from collector.tweets.measurements import NUMBERS
from collector.tweets.presences import PRESENCES
from collector.tweets.rollups import ROLLUPS, Query
from database.functions import whole_hour
from models import (
    AuthorTombstone,
    Budget,
    EarlierMeasurement,
    IdRange,
    Listing,
    Presence,
    Purchase,
    Run,
    RunTag,
    Spend,
    Tag,
    Tombstone,
    Tweet,
    TweetLink,
    TweetTag,
    Version,
)
from queries.counters import x_now
from queries.gaps import first_id

Recount = Query | CompoundSelect[*tuple[Any, ...]]
MOST_SHOWN = 5


def faults(database: Database, billing: Billing) -> list[str]:
    """Describe what is wrong, in one state of the database; an empty list if nothing is."""
    return list(each_fault(database, billing))


def each_fault(database: Database, billing: Billing) -> Iterator[str]:
    """Yield a description of each fault as it is found; raises DatabaseUnavailable.

    What can't be read at all is a fault as well, such as a missing column, or text in place of a number.
    """
    try:
        with database.reading() as session:
            yield from database.integrity_faults(session)
            yield from checks.payload_faults(session)
            yield from _aggregates(session)
            yield from _hashtags(session)
            yield from _engagement(session)
            yield from _ledger(session)
            yield from _budget(session, billing)
            yield from _tweets(session)
            yield from _listings(session)
            yield from checks.index_faults(session)
    except (DBAPIError, ValueError, TypeError, LookupError) as error:
        yield f"the database is damaged: {getattr(error, 'orig', error)!r}"


def _aggregates(session: Session) -> Iterator[str]:
    for rollup in ROLLUPS:
        yield from _compare(session, rollup.what, rollup.stored_query, *rollup.counted, width=len(rollup.values))
    yield from _check_repeated(session)
    present = select(Presence.start, Presence.quarters, Presence.authors)
    yield from _compare(session, "authors per quarter of an hour", present, PRESENCES)


def _hashtags(session: Session) -> Iterator[str]:
    yield from (f"tweet {own}: is not filed under the hashtags of its text" for own in checks.misfiled_tweets(session))
    if count := checks.misnamed_hashtags(session):
        yield f"{count} hashtags are not filed under their name"


def _engagement(session: Session) -> Iterator[str]:
    """Check that a tweet's numbers add up and say when they were measured, and what it is said to link to."""
    summed = [getattr(Tweet, name) for name in NUMBERS[:4]]
    total = case((or_(*(one.is_not(None) for one in summed)), sum(func.coalesce(one, 0) for one in summed)), else_=None)
    yield from _named(session, "doesn't show the sum of its numbers", Tweet.engagement.is_distinct_from(total))
    known = or_(*(getattr(Tweet, name).is_not(None) for name in NUMBERS))
    yield from _named(session, "doesn't say when its numbers were measured", known != Tweet.measured.is_not(None))
    later = select(EarlierMeasurement.tweet_id).join(Tweet, Tweet.id == EarlierMeasurement.tweet_id)
    later = later.where(or_(Tweet.measured.is_(None), EarlierMeasurement.at >= Tweet.measured))
    yield from _named(session, "has an earlier measurement that is not earlier", Tweet.id.in_(later))
    linking = Tweet.id.in_(select(TweetLink.tweet_id))
    yield from _named(session, "doesn't say rightly whether it has links", Tweet.has_link != linking)
    yield from (f"tweet {own}: has a link under another domain" for own in checks.misfiled_links(session))


def _check_repeated(session: Session) -> Iterator[str]:
    """Check what tweets and links repeat of other rows, and that each tweet is within the id range of its hour."""
    hours = exists().where(IdRange.start == whole_hour(Tweet.created), Tweet.id.between(IdRange.first_id, IdRange.last_id))
    tables = (TweetTag, TweetLink)
    moved, linked = (select(one.tweet_id).where(one.created.is_distinct_from(derived.created_of(one))) for one in tables)
    yield from _named(session, "doesn't show the followers of its author", Tweet.followers.is_distinct_from(derived.FOLLOWERS))
    yield from _named(session, "is outside of the range of its hour", ~hours)
    yield from _named(session, "has links of tags that don't say when it was created", Tweet.id.in_(moved))
    yield from _named(session, "has links that don't say when it was created", Tweet.id.in_(linked))


def _named(session: Session, what: str, condition: ColumnElement[bool]) -> Iterator[str]:
    """Name each tweet for which a condition holds."""
    yield from (f"tweet {own}: {what}" for own in session.scalars(select(Tweet.id).where(condition)))


def _ledger(session: Session) -> Iterator[str]:
    columns = ("posts", "users", "floor", "ceiling")
    booked = select(Spend.run_id, *(func.sum(getattr(Spend, name)) for name in columns)).group_by(Spend.run_id)
    bought = select(Run.id, *(getattr(Run, name) for name in columns)).where(or_(Run.ceiling != 0, Run.posts != 0))
    yield from _compare(session, "spend per collection", bought, booked, width=len(columns))
    remembered = select(Purchase.day, Purchase.kind, func.count()).group_by(Purchase.day, Purchase.kind)
    remembered = remembered.where(Purchase.kind.in_(["post", "user"]))
    days: dict[tuple[str, str], int] = {}
    for day, posts, users in session.execute(_OBJECTS_BY_DAY):
        days |= {(day, "post"): posts, (day, "user"): users}
    for day, kind, count in session.execute(remembered):
        if days.get((day, kind), 0) < count:
            yield f"{kind}s bought on {day}: {days.get((day, kind), 0)} booked, {count} remembered"


def _budget(session: Session, billing: Billing) -> Iterator[str]:
    """Check the newest month against which the budget holds; months of an earlier billing day are not updated any more."""
    months = select(Budget.month, Budget.until, Budget.spent, ledger.SPENT, Budget.reserved, ledger.RESERVED)
    for month, until, booked, sold, held, reserved in session.execute(months.order_by(Budget.month.desc())):
        start = date.fromisoformat(month)
        if (start, date.fromisoformat(until)) not in counted_months(session, billing, [start]):
            continue
        if booked != sold:
            yield f"budget of {month}: {booked} micro-dollars spent, {sold} in the ledger"
        if held != reserved:
            yield f"budget of {month}: {held} micro-dollars reserved, {reserved} in reservations"
        return


def _tweets(session: Session) -> Iterator[str]:
    added = select(func.coalesce(func.sum(RunTag.added), 0)).where(RunTag.run_id == Run.id).scalar_subquery()
    wrong = select(Run.id, Run.tweets_added, added).where(Run.kind == "collection", Run.tweets_added != added)
    for run_id, total, by_tag in session.execute(wrong):
        yield f"collection {run_id}: {total} tweets added, {by_tag} by its tags"
    yield from _named(session, "is stored under a later version's id beside its first", Tweet.id.in_(select(Version.id)))
    tagged = Tweet.id.in_(select(TweetTag.tweet_id))
    yield from _named(session, "was found by a tag and doesn't say by which first", and_(Tweet.rash_id.is_(None), tagged))
    yield from _deletions(session)


def _deletions(session: Session) -> Iterator[str]:
    whole, geo = (select(Tombstone.id).where(Tombstone.geo_only == kind) for kind in (False, True))
    located = or_(Tweet.country.is_not(None), Tweet.country_code.is_not(None))
    yield from _named(session, "is stored though it was deleted", or_(Tweet.id.in_(whole), Tweet.version.in_(whole)))
    people = select(AuthorTombstone.author_id)
    yield from _named(session, "is stored though its author was deleted", Tweet.author_id.in_(people))
    yield from _named(session, "has a country that was deleted", and_(Tweet.id.in_(geo), located))


def _listings(session: Session) -> Iterator[str]:
    latest = first_id(max(x_now(session), datetime.now(UTC)) + timedelta(days=1))
    for tag, since_id in session.execute(select(Tag.tag, Tag.since_id).where(Tag.since_id > latest)):
        yield f"{tag}: was read up to {since_id}, which X has not given out yet"
    rows = select(Tag.tag, Listing.since_id, Listing.before, Listing.until_id).join(Tag, Tag.id == Listing.tag_id)
    for tag, since_id, before, until_id in session.execute(rows):
        if before > until_id or (since_id is not None and since_id >= before):
            yield f"{tag}: a listing from {since_id} to {before} of {until_id} makes no sense"


def _compare(session: Session, what: str, stored: Query, *counted: Recount, width: int = 1) -> Iterator[str]:
    """Compare stored with counted numbers: the last `width` columns of the queries; the others are their key."""
    left, right = (
        {tuple(row[:-width]): tuple(row[-width:]) for query in queries for row in session.execute(query)}
        for queries in ((stored,), counted)
    )
    wrong = sorted((key for key in left.keys() | right.keys() if left.get(key) != right.get(key)), key=str)
    for key in wrong[:MOST_SHOWN]:
        yield f"{what}, {key}: {left.get(key)} kept, {right.get(key)} counted"
    if len(wrong) > MOST_SHOWN:
        yield f"{what}: {len(wrong) - MOST_SHOWN} more"


_OBJECTS_BY_DAY = select(Spend.day, func.sum(Spend.posts), func.sum(Spend.users)).group_by(Spend.day)
