"""Tombstones: what was deleted here, and must not come back by any collection, import or restore."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from collector.tweets.places import tweet_without_location
from collector.values import ObservedAuthor, TaggedTweet, TweetVersion, stand_in_id
from database.functions import among
from database.statements import upsert
from models import Author, AuthorTombstone, Tombstone


def lay(session: Session, ids: Iterable[int], *, geo_only: bool = False) -> None:
    """Lay tombstones for versions of tweets, or for their locations only; the smaller never replaces the whole."""
    rows = [{"id": one, "deleted_at": datetime.now(UTC), "geo_only": geo_only} for one in sorted(ids)]
    upsert(session, Tombstone, rows, update=() if geo_only else ("geo_only",))


def lay_authors(session: Session, ids: Iterable[int]) -> None:
    """Lay tombstones for authors."""
    upsert(session, AuthorTombstone, [{"author_id": one, "deleted_at": datetime.now(UTC)} for one in sorted(ids)])


class NotDeleted(NamedTuple):
    """What may be stored, and what must go where it is stored: the other versions of what was deleted, and its authors."""

    tweets: list[TaggedTweet]
    authors: list[ObservedAuthor]
    versions: set[int]
    people: set[int]


def without_deleted(session: Session, finds: Sequence[TaggedTweet], authors: Sequence[ObservedAuthor]) -> NotDeleted:
    """Return the finds that were not deleted here, nor their authors, and the authors without those who wrote only such.

    All versions of what was deleted get tombstones of their own, for an archive may have one without its history. So does
    what a deleted author wrote, for an archive may have it without its author.
    """
    people = _deleted_authors(session, finds, authors)
    dead = _among(session, finds, geo_only=False)
    kept, dropped = list[TaggedTweet](), list[TaggedTweet]()
    for find in finds:
        buried = find.tweet.author_id in people.deleted or not dead.isdisjoint(_versions(find.tweet))
        (dropped if buried else kept).append(find)
    versions = {one for find in dropped for one in _versions(find.tweet)}
    lay(session, versions - dead)
    if people.before:
        kept = [find for find in kept if not people.named_before(find.tweet)]
    gone = people.deleted | {find.tweet.author_id for find in finds} - {find.tweet.author_id for find in kept}
    left = [author for author in authors if author.id not in gone and author not in people.before]
    return NotDeleted(kept, left, versions, people.learnt)


def without_locations(session: Session, finds: Sequence[TaggedTweet]) -> tuple[list[TaggedTweet], set[int]]:
    """Return the finds, those whose location was deleted here without it, and which of these have versions that are new.

    Those versions are without it from now on, and what is stored of them has to be.
    """
    dead = _among(session, finds, geo_only=True)
    scrubbed = {find.tweet.id for find in finds if not dead.isdisjoint(_versions(find.tweet))}
    versions = {one: find.tweet.id for find in finds if find.tweet.id in scrubbed for one in _versions(find.tweet)}
    new = {one: first for one, first in versions.items() if one not in dead}
    lay(session, new, geo_only=True)
    bare = [find._replace(tweet=tweet_without_location(find.tweet)) if find.tweet.id in scrubbed else find for find in finds]
    return bare, set(new.values())


def any_author(session: Session) -> bool:
    """Tell whether any author was ever deleted."""
    return session.scalar(select(AuthorTombstone.author_id).limit(1)) is not None


def namesakes(session: Session) -> set[int]:
    """Return the ids of stored authors whose username was deleted, as one has to be compared with its stand-in."""
    deleted = set(session.scalars(select(AuthorTombstone.author_id).where(AuthorTombstone.author_id < 0)))
    named = session.execute(select(Author.id, Author.username).where(Author.username.is_not(None))) if deleted else ()
    return {author_id for author_id, username in named if stand_in_id(str(username)) in deleted}


class _DeletedAuthors(NamedTuple):
    """Authors who were deleted, those of them who were known to be by their username, and observations of others before.

    A username passes on: who had a deleted one when an old archive was made, and is known by another since, is not deleted.
    """

    deleted: set[int]
    learnt: set[int]
    before: list[ObservedAuthor]

    def named_before(self, tweet: TweetVersion) -> bool:
        """Tell whether a tweet came with its author under a username that was deleted."""
        seen = [author.observed for author in self.before if author.id == tweet.author_id]
        return any(tweet.retrieved == when if tweet.retrieved else tweet.created <= when for when in seen)


def _deleted_authors(session: Session, finds: Sequence[TaggedTweet], authors: Sequence[ObservedAuthor]) -> _DeletedAuthors:
    """Return the authors who were deleted, by id or by username, and remember the ids of the latter."""
    if not any_author(session):
        return _DeletedAuthors(set(), set(), [])
    stand_ins = {author.username: stand_in_id(author.username) for author in authors if author.username}
    ids = {author.id for author in authors} | {find.tweet.author_id for find in finds if find.tweet.author_id is not None}
    asked = select(AuthorTombstone.author_id).where(among(AuthorTombstone.author_id, {*ids, *stand_ins.values()}))
    deleted = set(session.scalars(asked))
    named = [one for one in authors if one.username and stand_ins[one.username] in deleted and one.id not in deleted]
    newest = _newest(session, authors, {one.id for one in named})
    learnt = {one.id for one in named if one.observed >= newest[one.id]}
    lay_authors(session, learnt)
    return _DeletedAuthors(ids & deleted | learnt, learnt, [one for one in named if one.id not in learnt])


def _newest(session: Session, authors: Sequence[ObservedAuthor], ids: set[int]) -> dict[int, datetime]:
    """Return when these authors were observed last with a username, here or in the database."""
    asked = select(Author.id, Author.observed).where(among(Author.id, ids), Author.username.is_not(None))
    newest = {row.id: row.observed for row in session.execute(asked) if row.observed} if ids else {}
    for author in authors:
        if author.id in ids and author.username:
            newest[author.id] = max(author.observed, newest.get(author.id, author.observed))
    return newest


def _among(session: Session, finds: Sequence[TaggedTweet], *, geo_only: bool) -> set[int]:
    if session.scalar(select(Tombstone.id).where(Tombstone.geo_only == geo_only).limit(1)) is None:
        return set()
    ids = {one for find in finds for one in _versions(find.tweet)}
    return set(session.scalars(select(Tombstone.id).where(among(Tombstone.id, ids), Tombstone.geo_only == geo_only)))


def _versions(tweet: TweetVersion) -> tuple[int, ...]:
    return tweet.version, *tweet.versions
