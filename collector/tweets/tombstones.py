"""Tombstones: ids of what was deleted here, which no collection, import or restore may bring back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from collector.values import ObservedAuthor, TaggedTweet, TweetVersion, stand_in_id
from collector.x.documents import pack, unpack
from database.functions import among
from database.statements import upsert
from models import Author, AuthorTombstone, Tombstone


class ExistingTombstones(NamedTuple):
    """Whether there are any tombstones, by kind: of tweets, of locations, of authors."""

    tweets: bool
    locations: bool
    authors: bool


class Allowed(NamedTuple):
    """What may be stored, and what must be removed if it is stored: other versions of deleted tweets, and deleted authors."""

    tweets: list[TaggedTweet]
    authors: list[ObservedAuthor]
    deleted_versions: set[int]
    deleted_authors: set[int]


def existing_tombstones(session: Session) -> ExistingTombstones:
    """Look up in one statement whether anything was ever deleted, so that what was not is not searched for."""
    return ExistingTombstones(*session.execute(_EXISTING).one())


def add_tombstones(session: Session, ids: Iterable[int], *, geo_only: bool = False) -> None:
    """Add tombstones for versions of tweets, or for their locations only, which never replace those of whole tweets."""
    rows = [{"id": one, "deleted_at": datetime.now(UTC), "geo_only": geo_only} for one in sorted(ids)]
    upsert(session, Tombstone, rows, update=() if geo_only else ("geo_only",))


def add_author_tombstones(session: Session, ids: Iterable[int]) -> None:
    upsert(session, AuthorTombstone, [{"author_id": one, "deleted_at": datetime.now(UTC)} for one in sorted(ids)])


def without_deleted(
    session: Session, found: Sequence[TaggedTweet], authors: Sequence[ObservedAuthor], existing: ExistingTombstones
) -> Allowed:
    """Leave out tweets that were deleted here, those of deleted authors, and authors who wrote nothing else.

    All versions of what was deleted get tombstones of their own, because an archive may have one without its history. So does
    what a deleted author wrote, because an archive may have it without its author.
    """
    deleted = _deleted_authors(session, found, authors) if existing.authors else _DeletedAuthors(set(), set(), [])
    known = _with_tombstone(session, found, geo_only=False) if existing.tweets else set()
    kept, dropped = list[TaggedTweet](), list[TaggedTweet]()
    for tagged in found:
        is_deleted = tagged.tweet.author_id in deleted.ids or not known.isdisjoint(_versions(tagged.tweet))
        (dropped if is_deleted else kept).append(tagged)
    versions = {version for tagged in dropped for version in _versions(tagged.tweet)}
    add_tombstones(session, versions - known)
    if deleted.earlier:
        kept = [tagged for tagged in kept if not deleted.wrote(tagged.tweet)]
    gone = deleted.ids | {tagged.tweet.author_id for tagged in found} - {tagged.tweet.author_id for tagged in kept}
    left = [author for author in authors if author.id not in gone and author not in deleted.earlier]
    return Allowed(kept, left, versions, deleted.new)


def without_locations(
    session: Session, found: list[TaggedTweet], existing: ExistingTombstones
) -> tuple[list[TaggedTweet], set[int]]:
    """Remove the locations that were deleted here; return the tweets, and those of which versions are new.

    The new versions get tombstones for their locations as well, and what is stored of their tweets has to lose its location.
    """
    known = _with_tombstone(session, found, geo_only=True) if existing.locations else set()
    if not known:
        return found, set()
    scrubbed = {tagged.tweet.id for tagged in found if not known.isdisjoint(_versions(tagged.tweet))}
    versions = {one: tagged.tweet.id for tagged in found if tagged.tweet.id in scrubbed for one in _versions(tagged.tweet)}
    new = {version: first for version, first in versions.items() if version not in known}
    add_tombstones(session, new, geo_only=True)
    bare = [one._replace(tweet=tweet_without_location(one.tweet)) if one.tweet.id in scrubbed else one for one in found]
    return bare, set(new.values())


def has_author_tombstones(session: Session) -> bool:
    """Whether any author was ever deleted."""
    return session.scalar(select(AuthorTombstone.author_id).limit(1)) is not None


def authors_with_deleted_names(session: Session) -> set[int]:
    """Ids of stored authors whose username was deleted. A username's tombstone has the username's stand-in id."""
    deleted = set(session.scalars(select(AuthorTombstone.author_id).where(AuthorTombstone.author_id < 0)))
    named = session.execute(select(Author.id, Author.username).where(Author.username.is_not(None))) if deleted else ()
    return {author_id for author_id, username in named if stand_in_id(str(username)) in deleted}


class _DeletedAuthors(NamedTuple):
    """Ids of authors who were deleted, those of them known by username only until now, and observations that are not theirs.

    A username passes on: an author who had a deleted one when an old archive was made, and has been known by another since, is
    not deleted. What they wrote under that username is.
    """

    ids: set[int]
    new: set[int]
    earlier: list[ObservedAuthor]

    def wrote(self, tweet: TweetVersion) -> bool:
        """Whether a tweet came with its author under a username that was deleted."""
        times = [author.observed for author in self.earlier if author.id == tweet.author_id]
        return any(tweet.retrieved == when if tweet.retrieved else tweet.created <= when for when in times)


def _deleted_authors(session: Session, found: Sequence[TaggedTweet], authors: Sequence[ObservedAuthor]) -> _DeletedAuthors:
    """Find the authors who were deleted, by id or by username, and add tombstones for the ids of the latter."""
    stand_ins = {author.username: stand_in_id(author.username) for author in authors if author.username}
    ids = {author.id for author in authors} | {one.tweet.author_id for one in found if one.tweet.author_id is not None}
    with_tombstone = select(AuthorTombstone.author_id).where(among(AuthorTombstone.author_id, {*ids, *stand_ins.values()}))
    deleted = set(session.scalars(with_tombstone))
    named = [one for one in authors if one.username and stand_ins[one.username] in deleted and one.id not in deleted]
    newest = _newest_observations(session, authors, {one.id for one in named})
    new = {one.id for one in named if one.observed >= newest[one.id]}
    add_author_tombstones(session, new)
    return _DeletedAuthors(ids & deleted | new, new, [one for one in named if one.id not in new])


def _newest_observations(session: Session, authors: Sequence[ObservedAuthor], ids: set[int]) -> dict[int, datetime]:
    """When these authors were last observed with a username, here or in the database."""
    known = select(Author.id, Author.observed).where(among(Author.id, ids), Author.username.is_not(None))
    newest = {row.id: row.observed for row in session.execute(known) if row.observed} if ids else {}
    for author in authors:
        if author.id in ids and author.username:
            newest[author.id] = max(author.observed, newest.get(author.id, author.observed))
    return newest


def _with_tombstone(session: Session, found: Sequence[TaggedTweet], *, geo_only: bool) -> set[int]:
    ids = {version for tagged in found for version in _versions(tagged.tweet)}
    return set(session.scalars(select(Tombstone.id).where(among(Tombstone.id, ids), Tombstone.geo_only == geo_only)))


def _versions(tweet: TweetVersion) -> tuple[int, ...]:
    return tweet.version, *tweet.versions


def tweet_without_location(tweet: TweetVersion) -> TweetVersion:
    """Return a tweet without its location; its payload has none either."""
    return tweet._replace(country=None, country_code=None, payload=tweet.payload and without_location(tweet.payload))


def without_location(body: bytes) -> bytes | None:
    """Return a payload without its location: the same bytes where it has none, None where it can't be unpacked."""
    try:
        given = unpack(body)
    except ValueError:
        return None
    left = {name: _without(value, "geo" if name == "data" else "places") for name, value in given.items()}
    if not left.get("includes"):
        left.pop("includes", None)
    return body if left == given else pack(left)


def _without(part: object, key: str) -> object:
    return {name: value for name, value in part.items() if name != key} if isinstance(part, dict) else part


_EXISTING = select(
    exists().where(~Tombstone.geo_only), exists().where(Tombstone.geo_only), exists(select(AuthorTombstone.author_id))
)
