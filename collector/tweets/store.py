"""The tweet store: writes the tweets of a page or an archive once each, with their authors and everything derived from them.

Authors are stored as they were observed last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from itertools import repeat
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from collector.tweets import derived, tombstones
from collector.tweets.contents import add_contents, replace_contents
from collector.tweets.deletions import remove_deleted, scrub_location
from collector.tweets.edits import COUNTED, NEWEST_TEXT, fold_later_versions, merge, rash, show_newest, with_history
from collector.tweets.measurements import COLUMNS, add_measurements, numbers
from collector.values import ObservedAuthor, TaggedTweet, TagRef, TweetVersion, stand_in_id
from database import partitions
from database.functions import among
from database.statements import bulk_execute, bulk_upsert, upsert
from models import Author, AuthorPayload, Payload, Tag, Tweet, TweetTag, Version

Followers = Mapping[int, int | None]


class KnownAuthor(NamedTuple):
    """An author as they are stored: as of the newest observation, with nothing but the id where there was none."""

    id: int
    username: str | None = None
    name: str | None = None
    followers: int | None = None
    observed: datetime | None = None


class StoredAuthors(NamedTuple):
    """Followers by author id, and the ids of authors who were known by username only, with the id known now."""

    followers: dict[int, int | None]
    stand_ins: dict[int, int]


class StoredTweet(NamedTuple):
    """What decides whether a stored tweet changes: its newest version, its author, its run, and the key of its rash."""

    version: int
    author_id: int | None
    run_id: int
    rash_key: str | None


def store(session: Session, found: Iterable[TaggedTweet], authors: Iterable[ObservedAuthor], *, run_id: int) -> int:
    """Store what a run found and return how many tweets are new. Storing the same again changes nothing."""
    versions, known_versions = with_history(session, list(found))
    deletions = tombstones.existing_tombstones(session)
    versions, scrubbed = tombstones.without_locations(session, versions, deletions)
    allowed = tombstones.without_deleted(session, merge(versions), list(authors), deletions)
    tweets = allowed.tweets
    partitions.prepare(session, [version for tagged in tweets for version in tagged.tweet.versions])
    writers = {tagged.tweet.author_id for tagged in tweets if tagged.tweet.author_id is not None}
    followers, stand_ins = store_authors(session, allowed.authors, writers)
    new = [tagged for tagged in tweets if known_versions.isdisjoint(tagged.tweet.versions)]
    _insert(session, new, followers, run_id)
    add_contents(session, [tagged.tweet for tagged in new])
    add_measurements(session, {one.tweet.id: one.tweet.measurements for one in new if len(one.tweet.measurements) > 1})
    derived.add_new(session, new)
    known = [tagged for tagged in tweets if not known_versions.isdisjoint(tagged.tweet.versions)] if known_versions else []
    added = len(new) + (_update(session, known, followers, run_id) if known else 0)
    _store_payloads(session, versions, {tagged.tweet.id for tagged in tweets}, allowed.authors)
    if again := _found_again(versions, known) | replace_stand_ins(session, stand_ins):
        show_newest(session, again, versions)
    if allowed.deleted_versions or allowed.deleted_authors:
        remove_deleted(session, allowed.deleted_versions, allowed.deleted_authors)
    for tweet_id in scrubbed:
        scrub_location(session, tweet_id)
    return added


def _found_again(found: Sequence[TaggedTweet], known: Sequence[TaggedTweet]) -> set[int]:
    """Ids of the tweets that were stored before, or found more than once."""
    times = Counter(tagged.tweet.id for tagged in (*found, *known))
    return {tweet_id for tweet_id, count in times.items() if count > 1}


def store_authors(session: Session, observed: Sequence[ObservedAuthor], writers: Set[int]) -> StoredAuthors:
    """Store authors as they were observed last, and of the writers whom nobody observed the id. Reads each author once.

    Tweets that are stored already show the followers that changed.
    """
    real = {stand_in_id(author.username): author.id for author in observed if author.username and author.id >= 0}
    ids = {*writers, *real, *(author.id for author in observed)}
    rows = session.execute(_KNOWN_AUTHORS.where(among(Author.id, ids))) if ids else ()
    before = {row[0]: KnownAuthor(*row) for row in rows}
    after = dict(before)
    for author in observed:
        seen = KnownAuthor(author.id, author.username, author.name, author.followers, author.observed.replace(microsecond=0))
        after[author.id] = _newest(after.get(author.id), seen)
    for author_id in writers - after.keys():
        after[author_id] = KnownAuthor(author_id)
    stand_ins = {stand_in: author_id for stand_in, author_id in real.items() if stand_in in after}
    for stand_in, author_id in stand_ins.items():
        after[author_id] = _newest(after[author_id], after[stand_in]._replace(id=author_id))
    changed = [author for author in after.values() if author != before.get(author.id)]
    if changed:
        columns: dict[str, Iterable[Any]] = dict(zip(KnownAuthor._fields, zip(*changed, strict=True), strict=True))
        bulk_upsert(
            session, Author, columns | {name: repeat(0, len(changed)) for name in COUNTED}, update=KnownAuthor._fields[1:]
        )
    moved = [one for one in changed if one.id in before and one.followers != before[one.id].followers]
    followers = [author.followers for author in moved]
    bulk_execute(session, _SHOW_FOLLOWERS, {"key": [author.id for author in moved], "followers": followers})
    return StoredAuthors({author.id: author.followers for author in after.values()}, stand_ins)


def _newest(known: KnownAuthor | None, seen: KnownAuthor) -> KnownAuthor:
    """The later of two observations; of equally old ones the one that is seen now. What it lacks is kept."""
    if known is None:
        return seen
    if known.observed and seen.observed and seen.observed < known.observed:
        return known
    return known._replace(**{name: value for name, value in seen._asdict().items() if value is not None})


def replace_stand_ins(session: Session, stand_ins: dict[int, int]) -> set[int]:
    """Give the tweets of authors who were known by username only to the authors whose ids are known now; return their ids."""
    if not stand_ins:
        return set()
    ids = session.scalars(select(Tweet.id).where(among(Tweet.author_id, stand_ins))).all()
    with derived.maintain(session, ids):
        bulk_execute(session, _REPLACE, {"key": list(stand_ins), "author_id": list(stand_ins.values())})
        derived.refresh_copies(session, ids)
    session.execute(delete(Author).where(among(Author.id, stand_ins)))
    return set(ids)


def _store_payloads(
    session: Session, found: Iterable[TaggedTweet], stored: Set[int], authors: Iterable[ObservedAuthor]
) -> None:
    """Store the payloads of every version of the tweets with these ids, and of the authors. The rows of all are stored."""
    rows = [
        {"id": tweet.version, "tweet_id": tweet.id, "retrieved": tweet.retrieved, "body": tweet.payload}
        for tweet in (tagged.tweet for tagged in found)
        if tweet.payload and tweet.id in stored
    ]
    upsert(session, Payload, rows, update=("retrieved", "body"), newest="retrieved")
    people = [
        {"author_id": author.id, "retrieved": author.observed, "body": author.payload} for author in authors if author.payload
    ]
    upsert(session, AuthorPayload, people, update=("retrieved", "body"), newest="retrieved")


def _insert(session: Session, found: Sequence[TaggedTweet], followers: Followers, run_id: int) -> None:
    """Insert the tweets that are not stored, with their versions and tags."""
    if not found:
        return
    ids = [tagged.tweet.id for tagged in found]
    columns: dict[str, Sequence[Any]] = dict(
        zip(TweetVersion._fields, zip(*(tagged.tweet for tagged in found), strict=True), strict=True)
    )
    shown = {name: columns[name] for name in ("created", "author_id")}
    shown |= {name: [getattr(tagged.tweet, name) for tagged in found] for name in NEWEST_TEXT}
    shown |= dict(zip(COLUMNS, zip(*map(numbers, columns["measurements"]), strict=True), strict=True))
    shown |= {"followers": [followers.get(author) for author in columns["author_id"]]}
    shown |= {"rash_id": [tag and tag.id for tag in map(rash, found)]}
    bulk_upsert(session, Tweet, {"id": ids, **shown, "run_id": repeat(run_id, len(ids))})
    later = [(version, tweet.id) for tweet in (tagged.tweet for tagged in found) for version in tweet.versions[1:]]
    bulk_upsert(session, Version, {"id": [version for version, _ in later], "tweet_id": [first for _, first in later]})
    links = [(tagged.tweet, tag.id) for tagged in found for tag in tagged.tags]
    link_columns: dict[str, Iterable[Any]] = {
        "tweet_id": [tweet.id for tweet, _ in links],
        "tag_id": [tag_id for _, tag_id in links],
        "created": [tweet.created for tweet, _ in links],
        "run_id": repeat(run_id, len(links)),
    }
    bulk_upsert(session, TweetTag, link_columns)


def _update(session: Session, known: Sequence[TaggedTweet], followers: Followers, run_id: int) -> int:
    """Update tweets of which a version is stored, and return how many more tweets there are."""
    columns = select(Tweet.id, Tweet.version, Tweet.author_id, Tweet.run_id, Tag.key).outerjoin(Tag, Tag.id == Tweet.rash_id)
    rows = session.execute(columns.where(among(Tweet.id, [tagged.tweet.id for tagged in known]))).all()
    stored = {row.id: StoredTweet(*row[1:]) for row in rows}
    with derived.maintain(session, {version for tagged in known for version in tagged.tweet.versions}):
        _insert(session, known, followers, run_id)
        add_contents(session, [one.tweet for one in known if one.tweet.id not in stored])
        _update_stored(session, [(one, stored[one.tweet.id]) for one in known if one.tweet.id in stored], run_id)
        folded = fold_later_versions(session, known)
        add_measurements(session, {one.tweet.id: one.tweet.measurements for one in known})
        derived.refresh_copies(session, [tagged.tweet.id for tagged in known])
    return len(known) - len(stored) - folded


def _update_stored(session: Session, known: Sequence[tuple[TaggedTweet, StoredTweet]], run_id: int) -> None:
    """Write newer versions' texts, authors, and `rash`: the earliest run's tag and, within that run, the first by name."""
    newer = [tagged.tweet for tagged, stored in known if tagged.tweet.version > stored.version]
    texts = {name: [getattr(tweet, name) for tweet in newer] for name in NEWEST_TEXT}
    bulk_execute(session, _SET_TEXT, {"key": [tweet.id for tweet in newer], **texts})
    replace_contents(session, newer)
    written = [one.tweet for one, stored in known if stored.author_id is None and one.tweet.author_id is not None]
    authors = [tweet.author_id for tweet in written]
    bulk_execute(session, _SET_AUTHOR, {"key": [tweet.id for tweet in written], "author_id": authors})
    found = [(one.tweet.id, tag.id) for one, stored in known if (tag := rash(one)) and _comes_first(tag, stored, run_id)]
    keys, tag_ids = [key for key, _ in found], [tag_id for _, tag_id in found]
    bulk_execute(session, _SET_RASH, {"key": keys, "rash_id": tag_ids, "run_id": repeat(run_id, len(found))})


def _comes_first(tag: TagRef, stored: StoredTweet, run_id: int) -> bool:
    return stored.rash_key is None or (stored.run_id == run_id and tag.key < stored.rash_key)


_tweets: Any = Tweet.__table__


def _set(*names: str) -> Any:
    """The statement that sets these columns of the tweet whose id is `key`."""
    return update(_tweets).where(_tweets.c.id == bindparam("key")).values({name: bindparam(name) for name in names})


_KNOWN_AUTHORS = select(*(getattr(Author, name) for name in KnownAuthor._fields))
_SET_TEXT, _SET_AUTHOR, _SET_RASH = _set(*NEWEST_TEXT), _set("author_id"), _set("rash_id", "run_id")
_SHOW_FOLLOWERS = update(_tweets).where(_tweets.c.author_id == bindparam("key")).values(followers=bindparam("followers"))
_REPLACE = update(_tweets).where(_tweets.c.author_id == bindparam("key")).values(author_id=bindparam("author_id"))
