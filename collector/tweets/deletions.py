"""Deletions: a tweet that is deleted here leaves tombstones, and no collection or import brings it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from alchemy import upsert
from collector import figures
from collector.tweets import rollups
from collector.values import AuthorSeen, Find
from models import Author, AuthorPayload, Payload, Tombstone, Tweet, TweetTag, Version


def bury(session: Session, tweet_id: int) -> bool:
    """Remove the tweet that has a version with this id, with its author if it was their last, and return whether it was stored.

    Every known version's id gets a tombstone, and so does an id that is not stored.
    """
    first = session.scalar(select(Version.tweet_id).where(Version.id == tweet_id)) or tweet_id
    later = session.scalars(select(Version.id).where(Version.tweet_id == first)).all()
    tweet = session.execute(select(Tweet.version, Tweet.author_id).where(Tweet.id == first)).first()
    buried = {tweet_id, first, *later, *([tweet.version] if tweet else [])}
    upsert(session, Tombstone, [{"id": one, "buried": datetime.now(UTC)} for one in sorted(buried)])
    if tweet is None:
        return False
    with rollups.kept(session, [first]):
        for table in (TweetTag, Version, Payload):
            session.execute(delete(table).where(table.tweet_id == first))
        session.execute(delete(Tweet).where(Tweet.id == first))
    gone = select(Author.id).where(Author.id == tweet.author_id, Author.tweets == 0)
    session.execute(delete(AuthorPayload).where(AuthorPayload.author_id.in_(gone)))
    session.execute(delete(Author).where(Author.id.in_(gone)))
    figures.changed(session)
    return True


def without_buried(
    session: Session, finds: Sequence[Find], authors: Sequence[AuthorSeen]
) -> tuple[list[Find], list[AuthorSeen]]:
    """Return the finds of which no version was deleted here, and the authors without those who wrote only what was."""
    ids = {one for find in finds for one in (find.tweet.version, *find.tweet.versions)}
    buried = set(session.scalars(select(Tombstone.id).where(Tombstone.id.in_(ids))))
    kept = [find for find in finds if buried.isdisjoint((find.tweet.version, *find.tweet.versions))]
    gone = {find.tweet.author_id for find in finds} - {find.tweet.author_id for find in kept}
    return kept, [author for author in authors if author.id not in gone]
