"""Deletions of tweets, of authors and of locations, with the tombstones that keep them from being stored again.

A location is deleted as X requires where its author withdrew it; the tweet stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from alchemy import Database
from collector import counters
from collector.runs import lease
from collector.tweets import derived, erasure, tombstones
from collector.values import stand_in_id
from database.functions import among
from models import Author, AuthorLookup, AuthorPayload, AuthorTombstone, Payload, Tombstone, Tweet, TweetTag, Version

BATCH = 500


def delete_tweet(session: Session, tweet_id: int) -> bool:
    """Delete the tweet that has a version with this id, with its author if it was their last; return whether it was stored.

    Every known version's id gets a tombstone, and so does an id that is not stored.
    """
    first = session.scalar(select(Version.tweet_id).where(Version.id == tweet_id)) or tweet_id
    tombstones.add_tombstones(session, [tweet_id])
    return delete_tweets(session, [first]) > 0


def delete_tweets(session: Session, ids: Collection[int]) -> int:
    """Delete the tweets of which these are the first versions, add tombstones, and return how many were stored."""
    later = session.scalars(select(Version.id).where(Version.tweet_id.in_(ids))).all()
    shown = session.scalars(select(Tweet.version).where(Tweet.id.in_(ids))).all()
    tombstones.add_tombstones(session, {*ids, *later, *shown})
    return remove_tweets(session, ids)


def remove_tweets(session: Session, ids: Collection[int]) -> int:
    """Delete the tweets of which these are the first versions without tombstones, and return how many were stored.

    Authors are deleted with the last of their tweets.
    """
    stored = session.execute(select(Tweet.id, Tweet.author_id).where(Tweet.id.in_(ids))).all()
    if not stored:
        return 0
    gone = [row.id for row in stored]
    with derived.maintain(session, gone):
        for table in (TweetTag, Version, Payload):
            session.execute(delete(table).where(table.tweet_id.in_(gone)))
        session.execute(delete(Tweet).where(Tweet.id.in_(gone)))
    remove_idle_authors(session, {row.author_id for row in stored if row.author_id is not None})
    erasure.record_deletion(session)
    counters.bump_sequence(session)
    return len(gone)


def delete_author(database: Database, username: str) -> int:
    """Delete all authors stored under this username, in any case, and return how many tweets were deleted with them.

    Their ids get tombstones first, and so does the username's stand-in id, so that an author who appears under it later is not
    stored either. A deletion that was interrupted is finished by the next one, or by `finish_deletions`.
    """

    def add_tombstones(session: Session) -> Sequence[int]:
        lease.refuse_while_restoring(session)
        named = session.scalars(select(Author.id).where(func.lower(Author.username) == username.lower())).all()
        tombstones.add_author_tombstones(session, {*named, stand_in_id(username)})
        return named

    return _delete_authors(database, database.write(add_tombstones))


def finish_deletions(database: Database) -> int:
    """Finish interrupted deletions of authors, and return how many tweets were deleted."""
    with database.reading() as session:
        left = unfinished_authors(session)
    return _delete_authors(database, left)


def unfinished_authors(session: Session) -> Sequence[int]:
    """Ids of authors who have tombstones and are still stored: their deletion was interrupted."""
    return session.scalars(select(AuthorTombstone.author_id).join(Author, Author.id == AuthorTombstone.author_id)).all()


def remove_deleted(session: Session, versions: Collection[int], authors: Collection[int]) -> None:
    """Delete what is stored of these versions and authors, for which tombstones were found."""
    stored = (
        select(Tweet.id).where(among(Tweet.id, versions)),
        select(Version.tweet_id).where(among(Version.id, versions)),
        select(Tweet.id).where(among(Tweet.author_id, authors)),
    )
    for ids in _batches(sorted({one for each in stored for one in session.scalars(each)})):
        delete_tweets(session, ids)
    remove_idle_authors(session, authors)


def apply_tombstones(session: Session) -> None:
    """Delete whatever is stored though it has a tombstone, as in a backup that was made before the deletion."""
    whole = select(Tombstone.id).where(~Tombstone.geo_only)
    tombstones.add_author_tombstones(session, tombstones.authors_with_deleted_names(session))
    people = select(AuthorTombstone.author_id)
    deleted = or_(Tweet.id.in_(whole), Tweet.version.in_(whole), Tweet.author_id.in_(people))
    later = select(Version.tweet_id).where(Version.id.in_(whole))
    for ids in _batches(session.scalars(select(Tweet.id).where(or_(deleted, Tweet.id.in_(later)))).all()):
        delete_tweets(session, ids)
    remove_idle_authors(session, session.scalars(select(Author.id).where(Author.id.in_(people))).all())


def _delete_authors(database: Database, authors: Collection[int]) -> int:
    """Delete these authors and all their tweets, in short transactions; return how many tweets that were."""

    def delete_batch(session: Session) -> tuple[int, bool]:
        lease.refuse_while_restoring(session)
        ids = session.scalars(select(Tweet.id).where(Tweet.author_id.in_(authors)).limit(BATCH)).all()
        removed, last = delete_tweets(session, ids), len(ids) < BATCH
        if last:
            remove_idle_authors(session, authors)
        return removed, last

    deleted, last = 0, not authors
    while not last:
        removed, last = database.write(delete_batch)
        deleted += removed
    return deleted


def remove_idle_authors(session: Session, authors: Collection[int]) -> None:
    """Delete those of these authors of whom no tweet is stored, and their payloads."""
    for batch in _batches(sorted(authors)):
        idle = session.scalars(select(Author.id).where(Author.id.in_(batch), Author.tweets == 0)).all()
        if idle:
            session.execute(delete(AuthorPayload).where(AuthorPayload.author_id.in_(idle)))
            session.execute(delete(AuthorLookup).where(AuthorLookup.author_id.in_(idle)))
            session.execute(delete(Author).where(Author.id.in_(idle)))
            erasure.record_deletion(session)
            counters.bump_sequence(session)


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


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


def apply_location_tombstones(session: Session) -> None:
    """Remove locations that are stored though they have a tombstone, as in a backup that was made before the deletion."""
    scrubbed = select(Tombstone.id).where(Tombstone.geo_only)
    later = select(Version.tweet_id).where(Version.id.in_(scrubbed))
    for tweet_id in session.scalars(select(Tweet.id).where(or_(Tweet.id.in_(scrubbed), Tweet.id.in_(later)))).all():
        scrub_location(session, tweet_id)


def _scrub_payloads(session: Session, first: int) -> int:
    """Remove the location from a tweet's payloads, and return how many had one. An unreadable payload is deleted."""
    changed = 0
    for row in session.execute(select(Payload.id, Payload.body).where(Payload.tweet_id == first)).all():
        body = tombstones.without_location(row.body)
        if body is None:
            session.execute(delete(Payload).where(Payload.id == row.id))
        elif body != row.body:
            session.execute(update(Payload).where(Payload.id == row.id).values(body=body))
        changed += body != row.body
    return changed
