"""Locations: where a tweet was written. Who withdraws that at X has it deleted here, and the tweet stays."""

from __future__ import annotations

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from collector import figures
from collector.tweets import derived, erasure, tombstones
from collector.tweets.places import without_location
from models import Payload, Tombstone, Tweet, Version


def scrub_location(session: Session, tweet_id: int) -> bool:
    """Remove the location of the tweet that has a version with this id, and return whether one was stored.

    Every known version's id gets a tombstone for its location, and so does an id that is not stored.
    """
    first = session.scalar(select(Version.tweet_id).where(Version.id == tweet_id)) or tweet_id
    later = session.scalars(select(Version.id).where(Version.tweet_id == first)).all()
    tombstones.lay(session, {tweet_id, first, *later}, geo_only=True)
    located = (Tweet.country.is_not(None) | Tweet.country_code.is_not(None), Tweet.id == first)
    with derived.maintain(session, {first}):
        change = update(Tweet).where(*located).values(country=None, country_code=None).returning(Tweet.id)
        shown = session.scalars(change).all()
    kept = _scrub_payloads(session, first)
    if shown:
        figures.bump_sequence(session)
    if shown or kept:
        erasure.owe(session)
    return bool(shown or kept)


def scrub_again(session: Session) -> None:
    """Remove the locations that are stored though they were deleted, as in a copy that was made before."""
    scrubbed = select(Tombstone.id).where(Tombstone.geo_only)
    later = select(Version.tweet_id).where(Version.id.in_(scrubbed))
    for tweet_id in session.scalars(select(Tweet.id).where(or_(Tweet.id.in_(scrubbed), Tweet.id.in_(later)))).all():
        scrub_location(session, tweet_id)


def _scrub_payloads(session: Session, first: int) -> int:
    """Take the location out of what X gave of a tweet, and return how many payloads had one. An unreadable one goes."""
    changed = 0
    for row in session.execute(select(Payload.id, Payload.body).where(Payload.tweet_id == first)).all():
        body = without_location(row.body)
        if body is None:
            session.execute(delete(Payload).where(Payload.id == row.id))
        elif body != row.body:
            session.execute(update(Payload).where(Payload.id == row.id).values(body=body))
        changed += body != row.body
    return changed
