"""Deletions: a tweet or an author that is deleted here leaves tombstones, and nothing brings them back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from alchemy import Database
from collector import figures
from collector.runs import lease
from collector.tweets import derived, erasure, tombstones
from collector.values import stand_in_id
from database.functions import among
from models import Author, AuthorPayload, AuthorTombstone, Payload, Tombstone, Tweet, TweetTag, Version

BATCH = 500


def bury(session: Session, tweet_id: int) -> bool:
    """Remove the tweet that has a version with this id, with its author if it was their last, and return whether it was stored.

    Every known version's id gets a tombstone, and so does an id that is not stored.
    """
    first = session.scalar(select(Version.tweet_id).where(Version.id == tweet_id)) or tweet_id
    tombstones.lay(session, [tweet_id])
    return bury_all(session, [first]) > 0


def bury_all(session: Session, ids: Collection[int]) -> int:
    """Remove the tweets of which these are the first versions, lay tombstones, and return how many were stored."""
    later = session.scalars(select(Version.id).where(Version.tweet_id.in_(ids))).all()
    shown = session.scalars(select(Tweet.version).where(Tweet.id.in_(ids))).all()
    tombstones.lay(session, {*ids, *later, *shown})
    return remove(session, ids)


def remove(session: Session, ids: Collection[int]) -> int:
    """Remove the tweets of which these are the first versions and return how many were stored; tombstones are not laid.

    Authors go with the last of their tweets.
    """
    stored = session.execute(select(Tweet.id, Tweet.author_id).where(Tweet.id.in_(ids))).all()
    if not stored:
        return 0
    gone = [row.id for row in stored]
    with derived.maintain(session, gone):
        for table in (TweetTag, Version, Payload):
            session.execute(delete(table).where(table.tweet_id.in_(gone)))
        session.execute(delete(Tweet).where(Tweet.id.in_(gone)))
    remove_idle(session, {row.author_id for row in stored if row.author_id is not None})
    erasure.owe(session)
    figures.bump_sequence(session)
    return len(gone)


def bury_author(database: Database, username: str) -> int:
    """Remove everybody who is stored under this username, in any case, and return how many tweets went with them.

    Their ids get tombstones first, and so does the username, as its stand-in: whoever turns up under it is kept out as well,
    and a deletion that was cut off is gone on with by the next one, or by `bury_rest`.
    """

    def lay(session: Session) -> Sequence[int]:
        lease.refuse_while_restoring(session)
        named = session.scalars(select(Author.id).where(func.lower(Author.username) == username.lower())).all()
        tombstones.lay_authors(session, {*named, stand_in_id(username)})
        return named

    return _bury_authors(database, database.write(lay))


def bury_rest(database: Database) -> int:
    """Remove what is still stored of authors who were deleted, and return how many tweets that were."""
    with database.reading() as session:
        left = to_bury(session)
    return _bury_authors(database, left)


def to_bury(session: Session) -> Sequence[int]:
    """Return the ids of authors who were deleted and are still stored: their deletion was cut off."""
    return session.scalars(select(AuthorTombstone.author_id).join(Author, Author.id == AuthorTombstone.author_id)).all()


def remove_buried(session: Session, versions: Collection[int], authors: Collection[int]) -> None:
    """Remove what is stored under these versions and of these authors, who turned out to be deleted."""
    if not versions and not authors:
        return
    asked = (
        select(Tweet.id).where(among(Tweet.id, versions)),
        select(Version.tweet_id).where(among(Version.id, versions)),
        select(Tweet.id).where(among(Tweet.author_id, authors)),
    )
    for ids in _batches(sorted({one for each in asked for one in session.scalars(each)})):
        bury_all(session, ids)
    remove_idle(session, authors)


def bury_again(session: Session) -> None:
    """Remove whatever is stored though it was deleted, as in a copy that was made before."""
    whole = select(Tombstone.id).where(~Tombstone.geo_only)
    learnt = tombstones.namesakes(session)
    tombstones.lay_authors(session, learnt)
    people = select(AuthorTombstone.author_id)
    deleted = or_(Tweet.id.in_(whole), Tweet.version.in_(whole), Tweet.author_id.in_(people))
    later = select(Version.tweet_id).where(Version.id.in_(whole))
    for ids in _batches(session.scalars(select(Tweet.id).where(or_(deleted, Tweet.id.in_(later)))).all()):
        bury_all(session, ids)
    remove_idle(session, session.scalars(select(Author.id).where(Author.id.in_(people))).all())


def _bury_authors(database: Database, authors: Collection[int]) -> int:
    """Remove these authors and all their tweets, in short transactions."""

    def some(session: Session) -> tuple[int, bool]:
        lease.refuse_while_restoring(session)
        ids = session.scalars(select(Tweet.id).where(Tweet.author_id.in_(authors)).limit(BATCH)).all()
        removed, last = bury_all(session, ids), len(ids) < BATCH
        if last:
            remove_idle(session, authors)
        return removed, last

    buried, last = 0, not authors
    while not last:
        removed, last = database.write(some)
        buried += removed
    return buried


def remove_idle(session: Session, authors: Collection[int]) -> None:
    """Remove those of these authors of whom no tweet is stored, and what X gave of them."""
    for some in _batches(sorted(authors)):
        idle = session.scalars(select(Author.id).where(Author.id.in_(some), Author.tweets == 0)).all()
        if idle:
            session.execute(delete(AuthorPayload).where(AuthorPayload.author_id.in_(idle)))
            session.execute(delete(Author).where(Author.id.in_(idle)))
            erasure.owe(session)
            figures.bump_sequence(session)


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
