"""Access paths: how the tweets that one filter lets through are read, in which orders, and how many they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, func, literal, select, union_all
from sqlalchemy.orm import Session

from database.functions import by_bitmaps, plans_by_statistics
from models import TWEET_WORDS, Author, Tag, Tweet, TweetTag
from queries.filters import CODE, Filters, conditions
from queries.orders import Columns, SortOrder

ON_TWEETS = Columns()
ON_LINKS = Columns(TweetTag.tweet_id, TweetTag.created, None)
BOTH = ("id", "created")
FEW, MANY = 10_000, 10**9
LISTED, LISTED_WORDS = 30_000, 100_000  # asking the index of words about one tweet takes ten times as long as reading it


class AccessPath(NamedTuple):
    """How the tweets are read that one of the filters, `of`, lets through: a table, conditions on it, and its indexes.

    `indexes` are by the column in whose order they give the tweets; the first one serves to gather them as well. An empty
    name is that of the table itself. Where it is `guessed`, PostgreSQL takes what is rare for what is not: it
    knows the thousand most common words only.
    """

    of: Filters
    table: Any
    own: tuple[ColumnElement[bool], ...]
    indexes: Mapping[str, str]
    columns: Columns = ON_TWEETS
    sorts: bool = True
    guessed: bool = False

    def gives(self, order: SortOrder) -> bool:
        """Whether it gives the tweets in this order."""
        return self.sorts and order.column in self.indexes

    def hint(self, order: SortOrder | None) -> tuple[Any, str, str]:
        """Return what SQLite is told about the index to use."""
        column = order.column if order and self.gives(order) else next(iter(self.indexes))
        index = self.indexes[column]
        return self.table, f"INDEXED BY {index}" if index else "", "sqlite"

    @property
    def listed(self) -> int:
        """Of how many tweets at most SQLite is given a list, rather than looked up one that is skipped after the other."""
        return LISTED_WORDS if self.guessed else LISTED

    @property
    def ids(self) -> Select[Any]:
        """The ids of all tweets that it leads to."""
        own = select(self.columns.id.label("id")).select_from(self.table).where(*self.own)
        return own.with_hint(*self.hint(None)).correlate(None)


def guesses(session: Session) -> bool:
    """Whether the database chooses the indexes by itself."""
    return plans_by_statistics(session)


def number(session: Session, path: AccessPath) -> int:
    """Return to how many tweets a path leads; of more than FEW, one more than that."""
    some = path.ids.limit(FEW + 1).subquery()
    with by_bitmaps(session) if path.guessed else nullcontext():
        return session.scalar(select(func.count()).select_from(some)) or 0


def estimates(session: Session, paths: Sequence[AccessPath]) -> list[int]:
    """Return to about how many tweets each path leads: of more than FEW, by how far among all ids these reach.

    Where they aren't by id, that can't be told, and they are taken for very many.
    """
    counted = [(path.ids.limit(FEW + 1).subquery(), "id" in path.indexes) for path in paths]
    ends = [select(end(Tweet.id)).scalar_subquery() for end in (func.min, func.max)]
    asked = [select(literal(at), func.count(), func.max(some.c.id), *ends) for at, (some, _) in enumerate(counted)]
    found = sorted(session.execute(union_all(*asked)).all()) if asked else []
    return [_estimate(*row[1:], by_id=by_id) for row, (_, by_id) in zip(found, counted, strict=True)]


def _estimate(found: int, last: int, lowest: int, highest: int, *, by_id: bool) -> int:
    if found <= FEW:
        return found
    return found * (highest - lowest) // (last - lowest) if by_id else MANY


def access_paths(session: Session, filters: Filters) -> Iterator[AccessPath]:
    """Give a path for each filter, those that tend to be the narrowest first."""
    for key in filters.tags:
        tag_id = session.scalar(select(Tag.id).where(Tag.key == key))
        indexes = {"id": "ix_tweet_tags_tag_id_tweet_id", "created": "ix_tweet_tags_tag_id_created"}
        yield AccessPath(Filters(tags=(key,)), TweetTag, (TweetTag.tag_id == (tag_id or 0),), indexes, ON_LINKS)
    if filters.words:
        found = TWEET_WORDS.having(filters.words).subquery("found")
        yield AccessPath(Filters(words=filters.words), found, (), {"id": ""}, Columns(found.c.id, None, None), guessed=True)
    if filters.author is not None:
        yield _of_author(session, filters.author)
    if filters.country is not None:
        name = "country_code" if CODE.fullmatch(filters.country) else "country"
        yield _on_tweets(Filters(country=filters.country), _indexes(name))
    if filters.lang is not None:
        yield _on_tweets(Filters(lang=filters.lang), _indexes("lang"))
    if filters.min_followers is not None:
        yield _on_tweets(Filters(min_followers=filters.min_followers), {"followers": "ix_tweets_followers"})
    if filters.since is not None or filters.until is not None:
        yield _on_tweets(Filters(since=filters.since, until=filters.until), {"created": "ix_tweets_created"})


def _of_author(session: Session, username: str) -> AccessPath:
    """Return the path to the tweets of an author, which all have one number of followers; or of several with one name."""
    named = session.execute(select(Author.id, Author.followers).where(func.lower(Author.username) == username)).all()
    of, indexes = Filters(author=username), _indexes("author_id")
    if len(named) != 1:
        own = Tweet.author_id.in_([author_id for author_id, _ in named])
        return AccessPath(of, Tweet, (own,), indexes, sorts=False)
    ((author_id, followers),) = named
    by_id = {"followers": indexes["id"]}
    columns = ON_TWEETS._replace(followers=literal(followers, BigInteger))
    return AccessPath(of, Tweet, (Tweet.author_id == author_id,), indexes | by_id, columns)


def _on_tweets(of: Filters, indexes: Mapping[str, str]) -> AccessPath:
    return AccessPath(of, Tweet, tuple(conditions(of)), indexes)


def _indexes(name: str) -> dict[str, str]:
    return {column: f"ix_tweets_{name}_{column}" for column in BOTH}
