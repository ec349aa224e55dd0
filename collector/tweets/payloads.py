"""Payloads of what is stored: each version of a tweet, of which it shows what one says, and each author as observed last."""

from __future__ import annotations

from collections.abc import Iterable, Set
from itertools import repeat
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from collector.payloads import unpack
from collector.tweets import derived
from collector.tweets.deletions import remove_idle
from collector.tweets.repeated import align
from collector.values import ObservedAuthor, TaggedTweet, TweetVersion
from collector.x import parsing
from database.functions import among
from database.statements import bulk_execute, bulk_upsert, upsert
from models import Author, AuthorPayload, AuthorTombstone, Payload, Tweet

SHOWN = ("text", "created", "lang", "author_id")


def given(body: bytes) -> TweetVersion:
    """Return what X gave of a version of a tweet, read from its payload; raises ValueError."""
    return parsing.tweet(parsing.mapping(unpack(body).get("data")))


def keep(session: Session, finds: Iterable[TaggedTweet], stored: Set[int], authors: Iterable[ObservedAuthor]) -> None:
    """Keep what X gave of the tweets with these ids, every version that was found, and of these authors, who are stored."""
    rows = [
        {"id": tweet.version, "tweet_id": tweet.id, "retrieved": tweet.retrieved, "body": tweet.payload}
        for tweet in (find.tweet for find in finds)
        if tweet.payload and tweet.id in stored
    ]
    upsert(session, Payload, rows, update=("retrieved", "body"), newest="retrieved")
    people = [
        {"author_id": author.id, "retrieved": author.observed, "body": author.payload} for author in authors if author.payload
    ]
    upsert(session, AuthorPayload, people, update=("retrieved", "body"), newest="retrieved")


def show(session: Session, ids: Set[int], finds: Iterable[TaggedTweet]) -> None:
    """Let tweets that were found before, or twice, show what X said last of the version that they show.

    An archive may have had something else: a text cut short, no language, an author by a username that has passed on.
    """
    known = {(find.tweet.version, find.tweet.payload): find.tweet for find in finds}
    rows = session.execute(_KEPT.where(among(Tweet.id, ids))).all() if ids else ()
    shown = [(row, told) for row in rows if (told := known.get((row.version, row.body)) or _readable(row.body))]
    people = _people(session, {author for row, told in shown if (author := _another_author(row, told)) is not None})
    changed = [(row, new) for row, told in shown if (new := _shown(row, told, people)) != _before(row)]
    if not changed:
        return
    keys = [row.id for row, _ in changed]
    with derived.maintain(session, keys):
        columns = zip(*(new for _, new in changed), strict=True)
        bulk_execute(session, _SHOW, {"key": keys, **dict(zip(SHOWN, columns, strict=True))})
        align(session, keys)
    remove_idle(session, {row.author_id for row, _ in changed if row.author_id is not None})


def _people(session: Session, ids: Set[int]) -> set[int]:
    """Return those of these authors who were not deleted, and see to it that they are stored, of whom only the id is known."""
    if not ids:
        return set()
    dead = session.scalars(select(AuthorTombstone.author_id).where(among(AuthorTombstone.author_id, ids)))
    alive = set(ids).difference(dead)
    bulk_upsert(session, Author, {"id": sorted(alive), "tweets": repeat(0, len(alive))})
    return alive


def _readable(body: bytes) -> TweetVersion | None:
    try:
        return given(body)
    except ValueError:
        return None


def _before(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in SHOWN)


def _another_author(row: Any, told: TweetVersion) -> int | None:
    """Return who wrote a tweet if that is another one; who is known by username only stays so until somebody bears it."""
    return None if row.author_id == told.author_id or (row.author_id or 0) < 0 else told.author_id


def _shown(row: Any, told: TweetVersion, people: Set[int]) -> tuple[Any, ...]:
    """Return what a tweet is to show. Its first version says when it was made."""
    created = told.created.replace(microsecond=0) if row.id == row.version == told.id else row.created
    author = _another_author(row, told)
    return told.text, created, told.lang or row.lang, author if author in people else row.author_id


_tweets: Any = Tweet.__table__
_KEPT = select(Tweet.id, Tweet.version, *(getattr(Tweet, name) for name in SHOWN), Payload.body).join(
    Payload, Payload.id == Tweet.version
)
_SHOW = update(_tweets).where(_tweets.c.id == bindparam("key")).values({name: bindparam(name) for name in SHOWN})
