"""Authors of stored tweets."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Select, and_, func, literal_column, or_, select, tuple_
from sqlalchemy.orm import Session

from models import Author
from queries.filters import ALL, Filters
from queries.sources import wrote


class AuthorRank(NamedTuple):
    """An author, the follower count of their newest observation, and how many of their tweets are stored."""

    author: str | None
    followers: int | None
    username: str | None
    tweets: int


NAME = func.coalesce(Author.username, literal_column("''"))


def most_followed(session: Session, *, limit: int, filters: Filters = ALL) -> list[AuthorRank]:
    """Return distinct authors, most followed first, ties by username; authors that X did not name are left out.

    With filters, those of the tweets that these let through.
    """
    ranked = (
        select(Author.name, Author.followers, Author.username, Author.tweets)
        .where(Author.name.is_not(None), Author.tweets > 0)
        .with_hint(Author, "INDEXED BY ix_authors_followers", "sqlite")
        .order_by(Author.followers.desc().nulls_last(), NAME, Author.id)
        .limit(limit)
    )
    if filters != ALL:
        ranked = ranked.where(wrote(session, filters))
    return [AuthorRank(*row) for row in session.execute(ranked)]


def author_by_username(session: Session, username: str) -> AuthorRank | None:
    """Return who has tweets stored under a username in lower case: the most followed, where several have borne it."""
    own = (func.lower(Author.username) == username, Author.tweets > 0)
    ranked = select(Author.name, Author.followers, Author.username, Author.tweets).where(*own)
    row = session.execute(ranked.order_by(Author.followers.desc().nulls_last(), Author.id).limit(1)).first()
    return AuthorRank._make(row) if row else None


FOLLOWERS, TWEETS = "-followers", "-tweets"


class AuthorPosition(NamedTuple):
    """Where an author stands in a list: by what it is sorted, the username ("" where there is none) and the id."""

    value: int | None
    username: str
    id: int


class AuthorPage(NamedTuple):
    """Some authors of a list, and where the last of them stands; None where the list ends with them."""

    authors: list[AuthorRank]
    last: AuthorPosition | None


def author_page(session: Session, filters: Filters, *, sort: str, after: AuthorPosition | None, most: int) -> AuthorPage:
    """Return at most `most` authors of tweets that the filters let through, after a place; ties by username, then id.

    Most followed first, unknown followers last; or those with the most tweets stored first.
    """
    column: Any = Author.followers if sort == FOLLOWERS else Author.tweets
    them, found = [] if filters == ALL else [wrote(session, filters)], list[Any]()
    for known in (True, False):
        if len(found) <= most and not (known and after and after.value is None):
            part = _part(column, after, known=known).where(*them)
            found += session.execute(part.limit(most + 1 - len(found))).all()
    places = [AuthorPosition._make(row[4:]) for row in found]
    return AuthorPage([AuthorRank._make(row[:4]) for row in found[:most]], places[most - 1] if len(found) > most else None)


def _part(column: Any, after: AuthorPosition | None, *, known: bool) -> Select[Any]:
    """Return the authors whose sorted value is known, or those of whom it is not."""
    query = select(Author.name, Author.followers, Author.username, Author.tweets, column, NAME, Author.id)
    query = query.with_hint(Author, f"INDEXED BY ix_authors_{column.name}", "sqlite")
    query = query.where(Author.tweets > 0, column.is_not(None) if known else column.is_(None))
    if after and known:
        next_names = and_(column == after.value, tuple_(NAME, Author.id) > (after.username, after.id))
        query = query.where(column <= after.value, or_(column < after.value, next_names))
    elif after and after.value is None:
        query = query.where(tuple_(NAME, Author.id) > (after.username, after.id))
    return query.order_by(column.desc().nulls_last(), NAME, Author.id)
