"""Tombstones: what was deleted here, and must not come back by any collection, import or restore."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from alchemy import among, upsert
from collector.tweets.places import unlocated
from collector.values import AuthorSeen, Find, TweetSeen, stand_in_id
from models import Author, AuthorTombstone, Tombstone


def lay(session: Session, ids: Iterable[int], *, geo_only: bool = False) -> None:
    """Lay tombstones for versions of tweets, or for their locations only; the smaller never replaces the whole."""
    rows = [{"id": one, "buried": datetime.now(UTC), "geo_only": geo_only} for one in sorted(ids)]
    upsert(session, Tombstone, rows, update=() if geo_only else ("geo_only",))


def lay_authors(session: Session, ids: Iterable[int]) -> None:
    """Lay tombstones for authors."""
    upsert(session, AuthorTombstone, [{"author_id": one, "buried": datetime.now(UTC)} for one in sorted(ids)])


def without_buried(
    session: Session, finds: Sequence[Find], authors: Sequence[AuthorSeen]
) -> tuple[list[Find], list[AuthorSeen]]:
    """Return the finds that were not deleted here, nor their authors, and the authors without those who wrote only such.

    What a deleted author wrote gets tombstones of its own, for an archive may have it without its author.
    """
    people = _buried_authors(session, finds, authors)
    lay(session, {one for find in finds if find.tweet.author_id in people for one in _versions(find.tweet)})
    buried = _among(session, finds, geo_only=False)
    kept = [find for find in finds if buried.isdisjoint(_versions(find.tweet))]
    gone = people | {find.tweet.author_id for find in finds} - {find.tweet.author_id for find in kept}
    return kept, [author for author in authors if author.id not in gone]


def without_locations(session: Session, finds: Sequence[Find]) -> list[Find]:
    """Return the finds, those whose location was deleted here without it; so is any further version of theirs from now on."""
    buried = _among(session, finds, geo_only=True)
    scrubbed = {find.tweet.id for find in finds if not buried.isdisjoint(_versions(find.tweet))}
    lay(session, {one for find in finds if find.tweet.id in scrubbed for one in _versions(find.tweet)}, geo_only=True)
    return [find._replace(tweet=unlocated(find.tweet)) if find.tweet.id in scrubbed else find for find in finds]


def namesakes(session: Session) -> set[int]:
    """Return the ids of stored authors whose username was deleted, as one has to be compared with its stand-in."""
    deleted = set(session.scalars(select(AuthorTombstone.author_id).where(AuthorTombstone.author_id < 0)))
    named = session.execute(select(Author.id, Author.username).where(Author.username.is_not(None))) if deleted else ()
    return {author_id for author_id, username in named if stand_in_id(str(username)) in deleted}


def _buried_authors(session: Session, finds: Sequence[Find], authors: Sequence[AuthorSeen]) -> set[int]:
    """Return the ids of authors who were deleted, by id or by username, and remember the former of the latter."""
    if session.scalar(select(AuthorTombstone.author_id).limit(1)) is None:
        return set()
    stand_ins = {author.id: stand_in_id(author.username) for author in authors if author.username}
    ids = {author.id for author in authors} | {find.tweet.author_id for find in finds if find.tweet.author_id is not None}
    asked = select(AuthorTombstone.author_id).where(among(AuthorTombstone.author_id, {*ids, *stand_ins.values()}))
    deleted = set(session.scalars(asked))
    learnt = {one for one, stand_in in stand_ins.items() if stand_in in deleted} - deleted
    lay_authors(session, learnt)
    return ids & deleted | learnt


def _among(session: Session, finds: Sequence[Find], *, geo_only: bool) -> set[int]:
    if session.scalar(select(Tombstone.id).where(Tombstone.geo_only == geo_only).limit(1)) is None:
        return set()
    ids = {one for find in finds for one in _versions(find.tweet)}
    return set(session.scalars(select(Tombstone.id).where(among(Tombstone.id, ids), Tombstone.geo_only == geo_only)))


def _versions(tweet: TweetSeen) -> tuple[int, ...]:
    return tweet.version, *tweet.versions
