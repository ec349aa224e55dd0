"""Tweets that were found before: merged with their other versions, and corrected by what X gave.

A tweet is stored once, whichever of its versions came first, and whether or not it came with its history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import repeat
from operator import attrgetter
from typing import Any

from sqlalchemy import bindparam, delete, select, union_all, update
from sqlalchemy.orm import Session

from collector.tweets import derived
from collector.tweets.contents import contents_of, move_contents, replace_contents, stored_contents
from collector.tweets.deletions import remove_idle_authors
from collector.tweets.measurements import add_measurements, history, stored_measurements
from collector.values import TaggedTweet, TagRef, TweetVersion
from collector.x import parsing
from collector.x.documents import unpack
from database.functions import among
from database.statements import bulk_execute, bulk_upsert, upsert
from models import Author, AuthorTombstone, Payload, Tag, Tweet, TweetTag, Version

FLAGS = ("has_media", "has_link", "is_reply", "is_quote")
NEWEST_TEXT = ("version", "text", "lang", "country", "country_code", *FLAGS)
"""Columns of a tweet that its newest version determines."""
OF_NEWEST = (*(name for name in NEWEST_TEXT if name in TweetVersion._fields), "links", "mentions")
COUNTED = ("tweets", "known")
"""Columns of an author that are 0 before any tweet is."""
SHOWN = ("text", "created", "lang", "author_id", *FLAGS)
"""Columns of a tweet that its newest payload corrects."""


def with_history(session: Session, found: Sequence[TaggedTweet]) -> tuple[list[TaggedTweet], set[int]]:
    """Complete the versions of tweets that came without their whole history, and return those versions that are stored too.

    What is known of a history comes from the other tweets found, and from the database.
    """
    versions = {version for tagged in found for version in tagged.tweet.versions}
    later = select(Version.id, Version.tweet_id).where(among(Version.id, versions))
    own = select(Tweet.id, Tweet.id).where(among(Tweet.id, versions))
    stored = dict[int, int]((row[0], row[1]) for row in session.execute(union_all(later, own)))
    first = {version: tweet_id for version, tweet_id in stored.items() if version != tweet_id}
    for tagged in found:
        if len(tagged.tweet.versions) > 1:
            _join_versions(first, tagged.tweet.versions)
    complete = [one if first.keys().isdisjoint(one.tweet.versions) else _with_all_versions(one, first) for one in found]
    return complete, set(stored)


def merge(found: Iterable[TaggedTweet]) -> list[TaggedTweet]:
    """Return each tweet once: as it was found first, with its newest version's text and all its tags by name."""
    by_id: dict[int, TaggedTweet] = {}
    for tagged in found:
        first = tagged.tweet.id
        by_id[first] = _merge_two(by_id[first], tagged) if first in by_id else tagged
    return list(by_id.values())


def rash(tagged: TaggedTweet) -> TagRef | None:
    """The tag under which a tweet was first found: the one that its archive names, or else the first tag by name."""
    return tagged.rash or (tagged.tags[0] if tagged.tags else None)


def fold_later_versions(session: Session, found: Iterable[TaggedTweet]) -> int:
    """Merge tweets that were stored under a later version's id into their first version, and return how many there were."""
    first = {version: tagged.tweet.id for tagged in found for version in tagged.tweet.versions[1:]}
    stored = session.execute(_STORED.where(among(Tweet.id, first))).all() if first else ()
    for row in stored:
        _move_rows(session, row.id, first[row.id])
        target = session.execute(_STORED.where(Tweet.id == first[row.id])).one()
        changes = {name: getattr(row, name) for name in NEWEST_TEXT} if row.version > target.version else {}
        if row.key is not None and (target.key is None or (row.run_id, row.key) < (target.run_id, target.key)):
            changes |= {"rash_id": row.rash_id, "run_id": row.run_id}
        changes |= {"author_id": row.author_id} if target.author_id is None else {}
        if changes:
            session.execute(update(Tweet).where(Tweet.id == target.id).values(**changes))
        if row.version > target.version:
            move_contents(session, row.id, target.id)
        add_measurements(session, {target.id: stored_measurements(session, [row.id])[row.id]})
        session.execute(delete(Tweet).where(Tweet.id == row.id))
    return len(stored)


def _merge_two(known: TaggedTweet, other: TaggedTweet) -> TaggedTweet:
    """Merge two results for a tweet. One without its history has the time of a later version, so the earlier time counts."""
    newest = max(known.tweet, other.tweet, key=lambda tweet: tweet.version)
    tweet = known.tweet._replace(
        versions=tuple(sorted({*known.tweet.versions, *other.tweet.versions})),
        created=min(known.tweet.created, other.tweet.created),
        author_id=known.tweet.author_id if known.tweet.author_id is not None else other.tweet.author_id,
        measurements=tuple(history([*known.tweet.measurements, *other.tweet.measurements])),
        **{name: getattr(newest, name) for name in OF_NEWEST},
    )
    tags = tuple(sorted({*known.tags, *other.tags}, key=attrgetter("key")))
    return TaggedTweet(tweet, tags, min(filter(None, (rash(known), rash(other))), key=attrgetter("key"), default=None))


def _move_rows(session: Session, later: int, first: int) -> None:
    """Move the rows that belong to a tweet to its first version."""
    links = session.execute(select(TweetTag.tag_id, TweetTag.created, TweetTag.run_id).where(TweetTag.tweet_id == later))
    upsert(session, TweetTag, [{"tweet_id": first, **link} for link in links.mappings().all()])
    session.execute(delete(TweetTag).where(TweetTag.tweet_id == later))
    for table in (Version, Payload):
        session.execute(update(table).where(table.tweet_id == later).values(tweet_id=first))


def _join_versions(first: dict[int, int], versions: Iterable[int]) -> None:
    """Record that these are versions of one tweet; `first` maps each to a lower one that is known, and so to the lowest."""
    ends = {_version_chain(first, version)[-1] for version in versions}
    first |= {end: min(ends) for end in ends if end != min(ends)}


def _version_chain(first: Mapping[int, int], version: int) -> list[int]:
    """A version and those that `first` maps it to, lowest last."""
    chain = [version]
    while chain[-1] in first:
        chain.append(first[chain[-1]])
    return chain


def _with_all_versions(tagged: TaggedTweet, first: Mapping[int, int]) -> TaggedTweet:
    """The same tweet with all of its versions that are known."""
    versions = {known for version in tagged.tweet.versions for known in _version_chain(first, version)}
    return tagged._replace(tweet=tagged.tweet._replace(versions=tuple(sorted(versions))))


def parse_payload(body: bytes) -> TweetVersion:
    """Parse the payload of a version of a tweet; raises ValueError."""
    return parsing.tweet(parsing.mapping(unpack(body).get("data")))


def show_newest(session: Session, ids: Set[int], found: Iterable[TaggedTweet]) -> None:
    """Update tweets that were found before, or twice, to what the newest payload of the version that they show says.

    An archive may have had something else: a text cut short, no language, an author by a username that has passed on.
    """
    parsed = {(tagged.tweet.version, tagged.tweet.payload): tagged.tweet for tagged in found}
    rows = session.execute(_WITH_PAYLOAD.where(among(Tweet.id, ids))).all()
    said = [(row, tweet) for row in rows if (tweet := parsed.get((row.version, row.body)) or parse_or_none(row.body))]
    contents = stored_contents(session, [row.id for row, _ in said])
    others = [(row, tweet) for row, tweet in said if contents_of(tweet) != contents[row.id]]
    replace_contents(session, [tweet._replace(versions=(row.id,), created=row.created) for row, tweet in others])
    authors = _allowed_authors(session, {author for row, tweet in said if (author := _another_author(row, tweet)) is not None})
    changed = [(row, new) for row, tweet in said if (new := _newest_values(row, tweet, authors)) != _values(row)]
    if not changed:
        return
    keys = [row.id for row, _ in changed]
    with derived.maintain(session, keys):
        columns = zip(*(new for _, new in changed), strict=True)
        bulk_execute(session, _SHOW, {"key": keys, **dict(zip(SHOWN, columns, strict=True))})
        derived.refresh_copies(session, keys)
    remove_idle_authors(session, {row.author_id for row, _ in changed if row.author_id is not None})


def _allowed_authors(session: Session, ids: Set[int]) -> set[int]:
    """Return those of these authors who were not deleted; of those who are not stored yet the id is stored."""
    if not ids:
        return set()
    deleted = session.scalars(select(AuthorTombstone.author_id).where(among(AuthorTombstone.author_id, ids)))
    allowed = set(ids).difference(deleted)
    bulk_upsert(session, Author, {"id": sorted(allowed), **{name: repeat(0, len(allowed)) for name in COUNTED}})
    return allowed


def parse_or_none(body: bytes) -> TweetVersion | None:
    """Parse the payload of a version of a tweet; None if it can't be read."""
    try:
        return parse_payload(body)
    except ValueError:
        return None


def _values(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in SHOWN)


def _another_author(row: Any, tweet: TweetVersion) -> int | None:
    """The author by the payload if it is not the stored one. A stand-in is replaced only when its username is observed."""
    return None if row.author_id == tweet.author_id or (row.author_id or 0) < 0 else tweet.author_id


def _newest_values(row: Any, tweet: TweetVersion, authors: Set[int]) -> tuple[Any, ...]:
    """What the columns of SHOWN should be. The first version says when a tweet was created."""
    created = tweet.created.replace(microsecond=0) if row.id == row.version == tweet.id else row.created
    author = _another_author(row, tweet)
    writer = author if author in authors else row.author_id
    return tweet.text, created, tweet.lang or row.lang, writer, *(getattr(tweet, name) for name in FLAGS)


_COLUMNS = (Tweet.id, Tweet.author_id, Tweet.run_id, Tweet.rash_id, Tag.key, *(getattr(Tweet, name) for name in NEWEST_TEXT))
_STORED = select(*_COLUMNS).outerjoin(Tag, Tag.id == Tweet.rash_id)
_tweets: Any = Tweet.__table__
_WITH_PAYLOAD = select(Tweet.id, Tweet.version, *(getattr(Tweet, name) for name in SHOWN), Payload.body).join(
    Payload, Payload.id == Tweet.version
)
_SHOW = update(_tweets).where(_tweets.c.id == bindparam("key")).values({name: bindparam(name) for name in SHOWN})
