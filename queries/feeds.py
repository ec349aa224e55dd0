"""Feeds as they are stored, and when what they show of spikes last changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Feed, Run, Tweet
from queries.filters import Filters, conditions_by_period


class StoredFeed(NamedTuple):
    """A feed that can be read with a key: its path with its parameters, and when it was made (UTC)."""

    id: int
    path: str
    created: datetime


_FEEDS = select(Feed.id, Feed.path, Feed.created).order_by(Feed.id)


def stored_feeds(session: Session) -> list[StoredFeed]:
    """Return all feeds by id."""
    return [StoredFeed._make(row) for row in session.execute(_FEEDS)]


def keyed_path(session: Session, key_hash: str) -> str | None:
    """Return the path that the key with this hash reads, or None."""
    return session.scalar(select(Feed.path).where(Feed.key_hash == key_hash))


def stored_at(session: Session, filters: Filters, periods: Iterable[tuple[datetime, datetime]]) -> list[datetime | None]:
    """Return for each period when a run last added a matching tweet to it: its end, or its start while it runs."""
    matching = conditions_by_period(filters._replace(since=None, until=None))
    newest = select(func.max(func.coalesce(Run.ended, Run.started))).join(Tweet, Tweet.run_id == Run.id).where(*matching)
    return [session.scalar(newest.where(Tweet.created >= start, Tweet.created < end)) for start, end in periods]
