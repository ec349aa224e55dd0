"""Authors of stored tweets."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Author


class AuthorRank(NamedTuple):
    """An author, the follower count of their newest observation, and how many of their tweets are stored."""

    author: str | None
    followers: int | None
    username: str | None
    tweets: int


def most_followed(session: Session, *, limit: int) -> list[AuthorRank]:
    """Return distinct authors, most followed first, ties by username; authors that X did not name are left out."""
    ranked = (
        select(Author.name, Author.followers, Author.username, Author.tweets)
        .where(Author.name.is_not(None), Author.tweets > 0)
        .order_by(Author.followers.desc().nulls_last(), Author.username, Author.id)
        .limit(limit)
    )
    return [AuthorRank(*row) for row in session.execute(ranked)]
