"""Storing: each tweet once, whatever was found twice, edited or imported before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from alchemy import upsert
from collector.tweets import payloads, rollups
from collector.tweets.edits import fold_later_versions, with_history
from collector.tweets.tombstones import without_buried, without_locations
from collector.values import AuthorSeen, Find, TagRef, stand_in_id
from models import Author, Tag, Tweet, TweetTag, Version

NEWEST_TEXT = ("version", "text", "lang", "country", "country_code")


class Stored(NamedTuple):
    """What decides whether a stored tweet changes: its newest version, its run, and the key of its rash."""

    version: int
    run_id: int
    rash_key: str | None


def store(session: Session, finds: Iterable[Find], authors: Iterable[AuthorSeen], *, run_id: int) -> int:
    """Store what a run found and return how many tweets are new. Storing the same again changes nothing."""
    versions = without_locations(session, with_history(session, finds))
    merged, observed = without_buried(session, _merged(versions), list(authors))
    affected = {one for find in merged for one in (find.tweet.id, *find.tweet.versions)}
    _store_authors(session, observed, merged)
    with rollups.kept(session, affected):
        added = _store_tweets(session, merged, run_id)
    payloads.keep(session, versions, {find.tweet.id for find in merged}, observed)
    _replace_stand_ins(session, observed)
    return added


def _store_tweets(session: Session, merged: Sequence[Find], run_id: int) -> int:
    stored = _stored(session, [find.tweet.id for find in merged])
    new = [find for find in merged if find.tweet.id not in stored]
    upsert(session, Tweet, [_row(find, run_id) for find in new])
    for find in merged:
        if find.tweet.id in stored:
            _renew(session, find, stored[find.tweet.id], run_id)
    later = [{"id": version, "tweet_id": find.tweet.id} for find in merged for version in find.tweet.versions[1:]]
    upsert(session, Version, later)
    links = [{"tweet_id": find.tweet.id, "tag_id": tag.id, "run_id": run_id} for find in merged for tag in find.tags]
    upsert(session, TweetTag, links)
    return len(new) - fold_later_versions(session, merged)


def _merged(finds: Iterable[Find]) -> list[Find]:
    """Return each tweet once: its newest version, and all its tags by name."""
    by_id: dict[int, Find] = {}
    for find in finds:
        known = by_id.get(find.tweet.id, find)
        newest = max(known.tweet, find.tweet, key=lambda version: version.version)
        tweet = newest._replace(versions=tuple(sorted({*known.tweet.versions, *find.tweet.versions})))
        tags = tuple(sorted({*known.tags, *find.tags}, key=lambda tag: tag.key))
        by_id[tweet.id] = Find(tweet, tags, known.rash or find.rash)
    return list(by_id.values())


def _store_authors(session: Session, authors: Iterable[AuthorSeen], finds: Sequence[Find]) -> None:
    columns = ("username", "name", "followers", "observed")
    rows = [{"id": author.id, "tweets": 0} | {name: getattr(author, name) for name in columns} for author in authors]
    upsert(session, Author, rows, update=columns, newest="observed")
    unseen = {find.tweet.author_id for find in finds if find.tweet.author_id is not None}
    upsert(session, Author, [{"id": author_id, "tweets": 0} for author_id in sorted(unseen - {row["id"] for row in rows})])


def _replace_stand_ins(session: Session, authors: Sequence[AuthorSeen]) -> None:
    """Give the tweets of an author who was known by username only to the author whose id is known now."""
    real = {stand_in_id(author.username): author.id for author in authors if author.username and author.id > 0}
    for stand_in, tweets in session.execute(select(Author.id, Author.tweets).where(Author.id.in_(real))).all():
        session.execute(update(Tweet).where(Tweet.author_id == stand_in).values(author_id=real[stand_in]))
        session.execute(update(Author).where(Author.id == real[stand_in]).values(tweets=Author.tweets + tweets))
        session.execute(delete(Author).where(Author.id == stand_in))


def _row(find: Find, run_id: int) -> dict[str, Any]:
    tweet, rash = find.tweet, _rash(find)
    row = {name: getattr(tweet, name) for name in ("id", "created", "author_id", *NEWEST_TEXT)}
    return {**row, "rash_id": rash.id if rash else None, "run_id": run_id}


def _rash(find: Find) -> TagRef | None:
    return find.rash or (find.tags[0] if find.tags else None)


def _stored(session: Session, ids: Sequence[int]) -> dict[int, Stored]:
    columns = select(Tweet.id, Tweet.version, Tweet.run_id, Tag.key).outerjoin(Tag, Tag.id == Tweet.rash_id)
    return {row.id: Stored(row.version, row.run_id, row.key) for row in session.execute(columns.where(Tweet.id.in_(ids)))}


def _renew(session: Session, find: Find, stored: Stored, run_id: int) -> None:
    """Show a newer version's text; `rash` is the earliest run's tag and, within that run, the first by name."""
    changes: dict[str, Any] = {}
    if find.tweet.version > stored.version:
        changes |= {name: getattr(find.tweet, name) for name in NEWEST_TEXT}
    rash = _rash(find)
    if rash and (stored.rash_key is None or (stored.run_id == run_id and rash.key < stored.rash_key)):
        changes |= {"rash_id": rash.id, "run_id": run_id}
    if changes:
        session.execute(update(Tweet).where(Tweet.id == find.tweet.id).values(**changes))
