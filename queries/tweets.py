"""Tweets: all of them in short batches, and one by any of its versions' ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy.orm import Session

from alchemy import Database
from models import Author, Tag, Tweet, TweetTag, Version
from queries.figures import generation


class TweetView(NamedTuple):
    """A tweet as it is shown. What X did not give is None; `tags` are by name; `observed` is that of the author."""

    id: int
    text: str
    created: datetime
    lang: str | None
    country: str | None
    country_code: str | None
    author_id: int | None
    author: str | None
    username: str | None
    followers: int | None
    observed: datetime | None
    rash: str | None
    tags: tuple[str, ...]


class TweetsReplaced(Exception):
    """What is being read is not there any more."""


def batch(session: Session, *, after: int, most: int) -> list[TweetView]:
    """Return at most `most` tweets whose id is greater than `after`, oldest id first."""
    rows = session.execute(_BATCH, {"after": after, "most": most}).all()
    if not rows:
        return []
    names, links = _names(session), session.execute(_LINKS, {"first": rows[0].id, "last": rows[-1].id})
    return list(_views(rows, names, links))


def in_batches(database: Database, *, most: int = 500) -> Iterator[list[TweetView]]:
    """Give all tweets, oldest id first, each batch from a short transaction: a long one would hold up WAL checkpoints.

    Raises TweetsReplaced when they are dropped or restored meanwhile, for the rest would belong to another database.
    """
    after, began = -1, None
    while True:
        with database.reading() as session:
            views, now = batch(session, after=after, most=most), generation(session)
        if began not in (None, now):
            raise TweetsReplaced("the tweets were dropped or restored while they were read")
        began = now
        if not views:
            return
        yield views
        after = views[-1].id


def tweet(session: Session, tweet_id: int) -> TweetView | None:
    """Return the tweet that has a version with this id."""
    first = session.scalar(select(Version.tweet_id).where(Version.id == tweet_id)) or tweet_id
    found = batch(session, after=first - 1, most=1)
    return found[0] if found and found[0].id == first else None


def _views(rows: Sequence[Row[Any]], names: dict[int, tuple[str, str]], links: Any) -> Iterator[TweetView]:
    tags: dict[int, list[tuple[str, str]]] = {}
    for tweet_id, tag_id in links:
        tags.setdefault(tweet_id, []).append(names[tag_id])
    for row in rows:
        rash = names[row.rash_id][1] if row.rash_id is not None else None
        found_by = tuple(tag for _, tag in sorted(tags.get(row.id, ())))
        yield TweetView._make((*row[:-1], rash, found_by))


def _names(session: Session) -> dict[int, tuple[str, str]]:
    return {row.id: (row.key, row.tag) for row in session.execute(select(Tag.id, Tag.key, Tag.tag))}


def _shown() -> Select[Any]:
    shown = (Tweet.id, Tweet.text, Tweet.created, Tweet.lang, Tweet.country, Tweet.country_code, Tweet.author_id)
    author = (Author.name, Author.username, Author.followers, Author.observed)
    columns: list[Any] = [*shown, *author, Tweet.rash_id]
    return select(*columns).outerjoin(Author, Author.id == Tweet.author_id)


_BATCH = _shown().where(Tweet.id > bindparam("after")).order_by(Tweet.id).limit(bindparam("most"))
_LINKS = select(TweetTag.tweet_id, TweetTag.tag_id).where(TweetTag.tweet_id.between(bindparam("first"), bindparam("last")))
