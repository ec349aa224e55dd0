"""Edits: whichever version of a tweet was met first, and whether or not it came with its history, it is stored once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from collector.values import TaggedTweet
from database.functions import among
from database.statements import upsert
from models import Payload, Tag, Tweet, TweetTag, Version

NEWEST_TEXT = ("version", "text", "lang", "country", "country_code")


def with_history(session: Session, finds: Iterable[TaggedTweet]) -> list[TaggedTweet]:
    """Give each tweet whose history came in part or not at all its first version that is known, here or in the database."""
    finds = list(finds)
    versions = {version for find in finds for version in find.tweet.versions}
    known = session.execute(select(Version.id, Version.tweet_id).where(among(Version.id, versions)))
    first = {row.id: row.tweet_id for row in known}
    for find in finds:
        if len(find.tweet.versions) > 1:
            _unite(first, find.tweet.versions)
    return [find if first.keys().isdisjoint(find.tweet.versions) else _of(find, first) for find in finds]


def fold_later_versions(session: Session, finds: Iterable[TaggedTweet]) -> int:
    """Fold tweets that were stored under a later version's id into their first version, and return how many there were."""
    first = {version: find.tweet.id for find in finds for version in find.tweet.versions[1:]}
    stored = session.execute(_STORED.where(among(Tweet.id, first))).all()
    for row in stored:
        _move(session, row.id, first[row.id])
        target = session.execute(_STORED.where(Tweet.id == first[row.id])).one()
        changes = {name: getattr(row, name) for name in NEWEST_TEXT} if row.version > target.version else {}
        if row.key is not None and (target.key is None or (row.run_id, row.key) < (target.run_id, target.key)):
            changes |= {"rash_id": row.rash_id, "run_id": row.run_id}
        changes |= {"author_id": row.author_id} if target.author_id is None else {}
        if changes:
            session.execute(update(Tweet).where(Tweet.id == target.id).values(**changes))
        session.execute(delete(Tweet).where(Tweet.id == row.id))
    return len(stored)


def _move(session: Session, later: int, first: int) -> None:
    """Give what belongs to a tweet to its first version."""
    links = session.execute(select(TweetTag.tag_id, TweetTag.created, TweetTag.run_id).where(TweetTag.tweet_id == later))
    upsert(session, TweetTag, [{"tweet_id": first, **link} for link in links.mappings().all()])
    session.execute(delete(TweetTag).where(TweetTag.tweet_id == later))
    for table in (Version, Payload):
        session.execute(update(table).where(table.tweet_id == later).values(tweet_id=first))


def _unite(first: dict[int, int], versions: Iterable[int]) -> None:
    """Note that these are versions of one tweet; `first` leads each to a lower one that is known, and so to the lowest."""
    ends = {_version_chain(first, version)[-1] for version in versions}
    first |= {end: min(ends) for end in ends if end != min(ends)}


def _version_chain(first: Mapping[int, int], version: int) -> list[int]:
    """Return a version and what it leads to, lowest last."""
    way = [version]
    while way[-1] in first:
        way.append(first[way[-1]])
    return way


def _of(find: TaggedTweet, first: Mapping[int, int]) -> TaggedTweet:
    """Return the find with all of its versions that are known of."""
    versions = {known for version in find.tweet.versions for known in _version_chain(first, version)}
    return find._replace(tweet=find.tweet._replace(versions=tuple(sorted(versions))))


_COLUMNS = (Tweet.id, Tweet.author_id, Tweet.run_id, Tweet.rash_id, Tag.key, *(getattr(Tweet, name) for name in NEWEST_TEXT))
_STORED = select(*_COLUMNS).outerjoin(Tag, Tag.id == Tweet.rash_id)
