"""Tweets as they are shown: those of a list, and one by any of its versions' ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from alchemy import Database
from database.functions import among
from models import Author, Quarter, Tag, Tweet, TweetTag, Version
from queries.filters import ALL, Filters
from queries.lists import TweetList, batches
from queries.orders import SortOrder
from queries.sources import source

BY_TIME = SortOrder("created", descending=True)
"""The order in which a period's tweets are read without the others."""


class TweetView(NamedTuple):
    """A tweet as it is shown. What X did not give is None; `tags` are by name; `observed` is that of the author.

    `version` is the id of the version whose text is shown, `versions` are the ids of all known ones, oldest first: `id` is
    the first of them.
    """

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
    version: int
    versions: tuple[int, ...]


class TweetViews(NamedTuple):
    """Tweets as they are shown."""

    def rows(self, session: Session, ids: Sequence[int]) -> list[TweetView]:
        """Return the tweets with these ids, in this order; what is gone is left out."""
        found = session.execute(_view_columns().where(among(Tweet.id, ids))).all()
        by_id = {view.id: view for view in _with_belongings(session, found, sparse=True)}
        return [by_id[own] for own in ids if own in by_id]

    def run(self, session: Session, *, after: int, most: int) -> tuple[list[TweetView], int | None]:
        """Return at most `most` of all tweets with ids above `after`, oldest id first, and the id of the last one."""
        found = session.execute(_RUN, {"after": after, "most": most}).all()
        return _with_belongings(session, found, sparse=False), found[-1].id if found else None


class TweetIds(NamedTuple):
    """Tweets as their ids alone."""

    def rows(self, _session: Session, ids: Sequence[int]) -> list[int]:
        """Return these ids."""
        return list(ids)

    def run(self, session: Session, *, after: int, most: int) -> tuple[list[int], int | None]:
        """Return at most `most` of all ids above `after`, and the last one."""
        found = list(session.scalars(select(Tweet.id).where(Tweet.id > after).order_by(Tweet.id).limit(most)))
        return found, found[-1] if found else None


def in_batches(database: Database, *, filters: Filters = ALL, most: int = 500) -> Iterator[list[TweetView]]:
    """Give the wanted tweets, oldest id first, in batches; raises TweetsReplaced."""
    return batches(database, TweetList(filters), TweetViews(), most=most)


def tweet_count(session: Session) -> int:
    """Return how many tweets there are."""
    return session.scalar(select(func.coalesce(func.sum(Quarter.tweets), 0))) or 0


def matching_count(session: Session, filters: Filters, *, most: int) -> int:
    """Return how many tweets the filters let through; `most` where they are as many or more, for no more are counted."""
    if filters == ALL:
        return min(tweet_count(session), most)
    some = source(session, filters, BY_TIME).query.limit(most).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def tweet(session: Session, tweet_id: int) -> TweetView | None:
    """Return the tweet that has a version with this id."""
    first = session.scalar(select(Version.tweet_id).where(Version.id == tweet_id)) or tweet_id
    return next(iter(TweetViews().rows(session, [first])), None)


Belonging = dict[int, list[int]]


def _with_belongings(session: Session, rows: Sequence[Row[Any]], *, sparse: bool) -> list[TweetView]:
    """Return the rows with what belongs to them; they are sparse where other tweets may lie between them."""
    if not rows:
        return []
    links, later = (ask(session, rows, sparse=sparse) for ask in (_links, _later))
    return list(_views(rows, _names(session), links, later))


def _views(
    rows: Sequence[Row[Any]], names: dict[int, tuple[str, str]], links: Belonging, later: Belonging
) -> Iterator[TweetView]:
    for row in rows:
        own, rash_id, version = row.id, row.rash_id, row.version
        rash = names[rash_id][1] if rash_id is not None else None
        found_by = tuple(tag for _, tag in sorted(names[tag_id] for tag_id in links.get(own, ())))
        versions = (own, *sorted(later[own])) if own in later else (own,)
        yield TweetView._make((*row[:-2], rash, found_by, version, versions))


def _names(session: Session) -> dict[int, tuple[str, str]]:
    return {row.id: (row.key, row.tag) for row in session.execute(select(Tag.id, Tag.key, Tag.tag))}


def _belonging(tweet_id: InstrumentedAttribute[int], value: InstrumentedAttribute[int]) -> Callable[..., Belonging]:
    """Return a question for what belongs to rows: by their range, or, where other tweets may lie between them, by their ids."""
    asked = select(tweet_id, value)

    def ask(session: Session, rows: Sequence[Row[Any]], *, sparse: bool) -> Belonging:
        own = among(tweet_id, [row.id for row in rows]) if sparse else tweet_id.between(rows[0].id, rows[-1].id)
        found: Belonging = {}
        for row_id, belongs in session.execute(asked.where(own)):
            found.setdefault(row_id, []).append(belongs)
        return found

    return ask


def _view_columns() -> Select[Any]:
    shown = (Tweet.id, Tweet.text, Tweet.created, Tweet.lang, Tweet.country, Tweet.country_code, Tweet.author_id)
    author = (Author.name, Author.username, Tweet.followers, Author.observed)
    columns: list[Any] = [*shown, *author, Tweet.rash_id, Tweet.version]
    return select(*columns).outerjoin(Author, Author.id == Tweet.author_id)


_RUN = _view_columns().where(Tweet.id > bindparam("after")).order_by(Tweet.id).limit(bindparam("most"))
_links = _belonging(TweetTag.tweet_id, TweetTag.tag_id)
_later = _belonging(Version.tweet_id, Version.id)
