"""Corrections: a payload that X gave for a tweet that is stored already corrects the tweet's row."""

from __future__ import annotations

from collections.abc import Iterable, Set
from itertools import repeat
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from collector.payloads import unpack
from collector.tweets import derived
from collector.tweets.authors import align
from collector.tweets.deletions import remove_idle_authors
from collector.values import TaggedTweet, TweetVersion
from collector.x import parsing
from database.functions import among
from database.statements import bulk_execute, bulk_upsert
from models import Author, AuthorTombstone, Payload, Tweet

SHOWN = ("text", "created", "lang", "author_id")


def parse_payload(body: bytes) -> TweetVersion:
    """Parse the payload of a version of a tweet; raises ValueError."""
    return parsing.tweet(parsing.mapping(unpack(body).get("data")))


def show_newest(session: Session, ids: Set[int], found: Iterable[TaggedTweet]) -> None:
    """Update tweets that were found before, or twice, to what the newest payload of the version that they show says.

    An archive may have had something else: a text cut short, no language, an author by a username that has passed on.
    """
    parsed = {(tagged.tweet.version, tagged.tweet.payload): tagged.tweet for tagged in found}
    rows = session.execute(_WITH_PAYLOAD.where(among(Tweet.id, ids))).all()
    said = [(row, tweet) for row in rows if (tweet := parsed.get((row.version, row.body)) or _parse_or_none(row.body))]
    authors = _allowed_authors(session, {author for row, tweet in said if (author := _another_author(row, tweet)) is not None})
    changed = [(row, new) for row, tweet in said if (new := _newest_values(row, tweet, authors)) != _values(row)]
    if not changed:
        return
    keys = [row.id for row, _ in changed]
    with derived.maintain(session, keys):
        columns = zip(*(new for _, new in changed), strict=True)
        bulk_execute(session, _SHOW, {"key": keys, **dict(zip(SHOWN, columns, strict=True))})
        align(session, keys)
    remove_idle_authors(session, {row.author_id for row, _ in changed if row.author_id is not None})


def _allowed_authors(session: Session, ids: Set[int]) -> set[int]:
    """Return those of these authors who were not deleted; of those who are not stored yet the id is stored."""
    if not ids:
        return set()
    deleted = session.scalars(select(AuthorTombstone.author_id).where(among(AuthorTombstone.author_id, ids)))
    allowed = set(ids).difference(deleted)
    bulk_upsert(session, Author, {"id": sorted(allowed), "tweets": repeat(0, len(allowed))})
    return allowed


def _parse_or_none(body: bytes) -> TweetVersion | None:
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
    return tweet.text, created, tweet.lang or row.lang, author if author in authors else row.author_id


_tweets: Any = Tweet.__table__
_WITH_PAYLOAD = select(Tweet.id, Tweet.version, *(getattr(Tweet, name) for name in SHOWN), Payload.body).join(
    Payload, Payload.id == Tweet.version
)
_SHOW = update(_tweets).where(_tweets.c.id == bindparam("key")).values({name: bindparam(name) for name in SHOWN})
