"""Locations: deletes where a tweet was written, as X requires for a location that its author withdrew; the tweet stays."""

from __future__ import annotations

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from collector import counters
from collector.tweets import derived, erasure, tombstones
from collector.tweets.places import without_location
from models import Payload, Tombstone, Tweet, Version


def scrub_location(session: Session, tweet_id: int) -> bool:
    """Remove the location of the tweet that has a version with this id, and return whether one was stored.

    Every known version's id gets a tombstone for its location, and so does an id that is not stored.
    """
    first = session.scalar(select(Version.tweet_id).where(Version.id == tweet_id)) or tweet_id
    later = session.scalars(select(Version.id).where(Version.tweet_id == first)).all()
    tombstones.add_tombstones(session, {tweet_id, first, *later}, geo_only=True)
    located = (Tweet.country.is_not(None) | Tweet.country_code.is_not(None), Tweet.id == first)
    with derived.maintain(session, {first}):
        change = update(Tweet).where(*located).values(country=None, country_code=None).returning(Tweet.id)
        shown = session.scalars(change).all()
    packed = _scrub_payloads(session, first)
    if shown:
        counters.bump_sequence(session)
    if shown or packed:
        erasure.record_deletion(session)
    return bool(shown or packed)


def scrub_again(session: Session) -> None:
    """Remove locations that are stored though they have a tombstone, as in a backup that was made before the deletion."""
    scrubbed = select(Tombstone.id).where(Tombstone.geo_only)
    later = select(Version.tweet_id).where(Version.id.in_(scrubbed))
    for tweet_id in session.scalars(select(Tweet.id).where(or_(Tweet.id.in_(scrubbed), Tweet.id.in_(later)))).all():
        scrub_location(session, tweet_id)


def _scrub_payloads(session: Session, first: int) -> int:
    """Remove the location from a tweet's payloads, and return how many had one. An unreadable payload is deleted."""
    changed = 0
    for row in session.execute(select(Payload.id, Payload.body).where(Payload.tweet_id == first)).all():
        body = without_location(row.body)
        if body is None:
            session.execute(delete(Payload).where(Payload.id == row.id))
        elif body != row.body:
            session.execute(update(Payload).where(Payload.id == row.id).values(body=body))
        changed += body != row.body
    return changed
