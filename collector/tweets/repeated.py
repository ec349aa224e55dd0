"""Repeated columns: what tweets repeat of their authors, and links of their tweets, because lists are sorted by it.

Sorted lists are read by an index, and an index is over one table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from database.functions import among
from database.statements import bulk_execute
from models import Author, Tweet, TweetTag

_tweets: Any = Tweet.__table__
_links: Any = TweetTag.__table__
FOLLOWERS = select(Author.followers).where(Author.id == _tweets.c.author_id).scalar_subquery()
CREATED = select(Tweet.created).where(Tweet.id == _links.c.tweet_id).scalar_subquery()


def followers_of(session: Session, authors: Iterable[int | None]) -> dict[int, int | None]:
    """Return the followers of those of these authors who are stored."""
    ids = {author for author in authors if author is not None}
    rows = session.execute(select(Author.id, Author.followers).where(among(Author.id, ids)))
    return {row.id: row.followers for row in rows}


def show_followers(session: Session, before: Mapping[int, int | None]) -> None:
    """Let tweets show the followers of these authors where they are not what they were before."""
    now = followers_of(session, before)
    changed = [author for author in before if now[author] != before[author]]
    bulk_execute(session, _SHOW, {"key": changed, "followers": [now[author] for author in changed]})


def align(session: Session, ids: Iterable[int]) -> None:
    """Let these tweets, whose authors may be others now, and their links repeat what is so."""
    ids = list(ids)
    session.execute(update(_tweets).where(among(_tweets.c.id, ids)).values(followers=FOLLOWERS))
    session.execute(update(_links).where(among(_links.c.tweet_id, ids)).values(created=CREATED))


_SHOW = update(_tweets).where(_tweets.c.author_id == bindparam("key")).values(followers=bindparam("followers"))
