"""Storing: each tweet once, whatever was found twice, edited or imported before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from collector.tweets import derived, payloads
from collector.tweets.deletions import remove_buried
from collector.tweets.edits import NEWEST_TEXT, fold_later_versions, with_history
from collector.tweets.locations import scrub_location
from collector.tweets.repeated import align, followers_of, show_followers
from collector.tweets.tombstones import without_deleted, without_locations
from collector.values import ObservedAuthor, TaggedTweet, TagRef, TweetVersion, stand_in_id
from database import partitions
from database.functions import among
from database.statements import bulk_execute, bulk_upsert
from models import Author, Tag, Tweet, TweetTag, Version

OBSERVED = ("id", "username", "name", "followers", "observed")


class StoredTweet(NamedTuple):
    """What decides whether a stored tweet changes: its newest version, its author, its run, and the key of its rash."""

    version: int
    author_id: int | None
    run_id: int
    rash_key: str | None


def store(session: Session, finds: Iterable[TaggedTweet], authors: Iterable[ObservedAuthor], *, run_id: int) -> int:
    """Store what a run found and return how many tweets are new. Storing the same again changes nothing."""
    versions, scrubbed = without_locations(session, with_history(session, finds))
    merged, observed, buried, people = without_deleted(session, _merge(versions), list(authors))
    partitions.prepare(session, [version for find in merged for version in find.tweet.versions])
    _store_authors(session, observed, merged)
    met = _known_versions(session, merged)
    new = [find for find in merged if met.isdisjoint(find.tweet.versions)]
    _add(session, new, run_id)
    derived.add_new(session, new)
    known = [find for find in merged if not met.isdisjoint(find.tweet.versions)] if met else []
    added = len(new) + (_renew_all(session, known, run_id) if known else 0)
    payloads.keep(session, versions, {find.tweet.id for find in merged}, observed)
    payloads.show(session, _again(versions, known) | _replace_stand_ins(session, observed), versions)
    remove_buried(session, buried, people)
    for tweet_id in scrubbed:
        scrub_location(session, tweet_id)
    return added


def _known_versions(session: Session, merged: Sequence[TaggedTweet]) -> set[int]:
    """Return those ids of versions under which a tweet is stored."""
    ids = [version for find in merged for version in find.tweet.versions]
    return set(session.scalars(select(Tweet.id).where(among(Tweet.id, ids))))


def _again(finds: Sequence[TaggedTweet], known: Sequence[TaggedTweet]) -> set[int]:
    """Return the tweets that were found before, or more than once."""
    times = Counter(find.tweet.id for find in (*finds, *known))
    return {tweet_id for tweet_id, count in times.items() if count > 1}


def _add(session: Session, finds: Sequence[TaggedTweet], run_id: int) -> None:
    """Add tweets that are not stored, or leave them as they are."""
    if not finds:
        return
    ids = [find.tweet.versions[0] for find in finds]
    columns: dict[str, Sequence[Any]] = dict(
        zip(TweetVersion._fields, zip(*(find.tweet for find in finds), strict=True), strict=True)
    )
    shown = {name: columns[name] for name in (*NEWEST_TEXT, "created", "author_id")}
    rash = [tag.id if tag else None for tag in map(_rash, finds)]
    followers = followers_of(session, columns["author_id"])
    shown |= {"followers": [followers.get(author) for author in columns["author_id"]], "rash_id": rash}
    bulk_upsert(session, Tweet, {"id": ids, **shown, "run_id": repeat(run_id, len(ids))})
    later = [(version, find.tweet.id) for find in finds if len(find.tweet.versions) > 1 for version in find.tweet.versions[1:]]
    bulk_upsert(session, Version, {"id": [version for version, _ in later], "tweet_id": [own for _, own in later]})
    links = [tag.id for find in finds for tag in find.tags]
    found = [own for own, find in zip(ids, finds, strict=True) for _ in find.tags]
    created = [find.tweet.created for find in finds for _ in find.tags]
    bulk_upsert(
        session,
        TweetTag,
        {"tweet_id": found, "tag_id": links, "created": created, "run_id": repeat(run_id, len(links))},
    )


def _renew_all(session: Session, finds: Sequence[TaggedTweet], run_id: int) -> int:
    """Add or change tweets of which something is known, and return how many more there are."""
    stored = _stored_tweets(session, [find.tweet.id for find in finds])
    with derived.maintain(session, {version for find in finds for version in find.tweet.versions}):
        _add(session, finds, run_id)
        _renew(session, [(find, stored[find.tweet.id]) for find in finds if find.tweet.id in stored], run_id)
        folded = fold_later_versions(session, finds)
        align(session, [find.tweet.id for find in finds])
    return len(finds) - len(stored) - folded


def _merge(finds: Iterable[TaggedTweet]) -> list[TaggedTweet]:
    """Return each tweet once: as it was met first, with its newest version's text and all its tags by name."""
    by_id: dict[int, TaggedTweet] = {}
    for find in finds:
        first = find.tweet.id
        by_id[first] = _both(by_id[first], find) if first in by_id else find
    return list(by_id.values())


def _both(known: TaggedTweet, find: TaggedTweet) -> TaggedTweet:
    """Return two finds of a tweet as one. What came without its history says when a later version was made."""
    newest = max(known.tweet, find.tweet, key=lambda tweet: tweet.version)
    tweet = known.tweet._replace(
        versions=tuple(sorted({*known.tweet.versions, *find.tweet.versions})),
        created=min(known.tweet.created, find.tweet.created),
        author_id=known.tweet.author_id if known.tweet.author_id is not None else find.tweet.author_id,
        **{name: getattr(newest, name) for name in NEWEST_TEXT},
    )
    tags = tuple(sorted({*known.tags, *find.tags}, key=_by_name))
    return TaggedTweet(tweet, tags, min(filter(None, (_rash(known), _rash(find))), key=_by_name, default=None))


def _by_name(tag: TagRef) -> str:
    return tag.key


def _store_authors(session: Session, authors: Sequence[ObservedAuthor], finds: Sequence[TaggedTweet]) -> None:
    """Store authors as they were observed, and those who were not, of whom only the id is known."""
    _observe(session, authors)
    written = {find.tweet.author_id for find in finds if find.tweet.author_id is not None}
    unseen = written - {author.id for author in authors}
    if unseen:
        missing = sorted(unseen.difference(session.scalars(select(Author.id).where(among(Author.id, unseen)))))
        bulk_upsert(session, Author, {"id": missing, "tweets": repeat(0, len(missing))})


def _observe(session: Session, authors: Sequence[ObservedAuthor]) -> None:
    """Store authors as they were observed, unless they were observed later; their tweets show the same followers."""
    seen = dict(zip(OBSERVED, zip(*(author[: len(OBSERVED)] for author in authors), strict=True), strict=False))
    if seen:
        columns = {**seen, "tweets": repeat(0, len(authors))}
        before = followers_of(session, seen["id"])
        bulk_upsert(session, Author, columns, update=OBSERVED[1:], newest="observed")
        show_followers(session, before)


def _replace_stand_ins(session: Session, authors: Sequence[ObservedAuthor]) -> set[int]:
    """Give the tweets of an author who was known by username only to the author whose id is known now; return which."""
    if session.scalar(_ANY_STAND_IN) is None:
        return set()
    real = {stand_in_id(author.username): author.id for author in authors if author.username and author.id >= 0}
    gone = session.execute(select(*(getattr(Author, name) for name in OBSERVED)).where(among(Author.id, real))).all()
    _observe(session, [ObservedAuthor(real[stand_in], *seen) for stand_in, *seen in gone])
    stand_ins = [stand_in for stand_in, *_ in gone]
    theirs = session.scalars(select(Tweet.id).where(among(Tweet.author_id, stand_ins))).all()
    with derived.maintain(session, theirs):
        bulk_execute(session, _ANOTHER_AUTHOR, {"key": stand_ins, "author_id": [real[stand_in] for stand_in in stand_ins]})
        align(session, theirs)
    session.execute(delete(Author).where(among(Author.id, stand_ins)))
    return set(theirs)


def _rash(find: TaggedTweet) -> TagRef | None:
    return find.rash or (find.tags[0] if find.tags else None)


def _stored_tweets(session: Session, ids: Sequence[int]) -> dict[int, StoredTweet]:
    columns = select(Tweet.id, Tweet.version, Tweet.author_id, Tweet.run_id, Tag.key).outerjoin(Tag, Tag.id == Tweet.rash_id)
    return {row.id: StoredTweet(*row[1:]) for row in session.execute(columns.where(among(Tweet.id, ids)))}


def _renew(session: Session, met: Sequence[tuple[TaggedTweet, StoredTweet]], run_id: int) -> None:
    """Show newer versions' texts; `rash` is the earliest run's tag and, within that run, the first by name."""
    newer = [find.tweet for find, stored in met if find.tweet.version > stored.version]
    texts = {name: [getattr(tweet, name) for tweet in newer] for name in NEWEST_TEXT}
    bulk_execute(session, _TEXT, {"key": [tweet.id for tweet in newer], **texts})
    named = [find.tweet for find, stored in met if stored.author_id is None and find.tweet.author_id is not None]
    bulk_execute(session, _AUTHOR, {"key": [tweet.id for tweet in named], "author_id": [tweet.author_id for tweet in named]})
    found = [(find.tweet.id, rash.id) for find, stored in met if (rash := _rash(find)) and _comes_first(rash, stored, run_id)]
    keys, rashes = [key for key, _ in found], [rash for _, rash in found]
    bulk_execute(session, _RASH, {"key": keys, "rash_id": rashes, "run_id": repeat(run_id, len(found))})


def _comes_first(rash: TagRef, stored: StoredTweet, run_id: int) -> bool:
    return stored.rash_key is None or (stored.run_id == run_id and rash.key < stored.rash_key)


_tweets: Any = Tweet.__table__


_ANOTHER_AUTHOR = update(_tweets).where(_tweets.c.author_id == bindparam("key")).values(author_id=bindparam("author_id"))


def _changing(*names: str) -> Any:
    """Return a statement that changes these columns of the tweet whose id is `key`."""
    return update(_tweets).where(_tweets.c.id == bindparam("key")).values({name: bindparam(name) for name in names})


_TEXT, _AUTHOR, _RASH = _changing(*NEWEST_TEXT), _changing("author_id"), _changing("rash_id", "run_id")
_ANY_STAND_IN = select(Author.id).where(Author.id < 0).limit(1)
