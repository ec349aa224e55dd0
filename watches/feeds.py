"""Feeds that are read with a key of their own, because feed readers can't send a token."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from alchemy import Database
from collector import counters
from collector.runs.lease import refuse_while_restoring
from models import Feed
from queries.feeds import keyed_path, stored_feeds
from schemas.feeds import with_key

MOST_FEEDS = 200
KEY_BYTES = 32


class CreatedFeed(NamedTuple):
    """A feed that was made: its path with its key, which is told only now, and its id."""

    url: str
    id: int


class TooManyFeeds(Exception):
    """There are as many feeds as there may be."""


def create_feed(database: Database, path: str) -> CreatedFeed:
    """Make a key for a path that schemas.feeds has parsed, of which only the hash is stored.

    Raises TooManyFeeds, DatabaseUnavailable.
    """
    key = secrets.token_urlsafe(KEY_BYTES)

    def create(session: Session) -> int:
        refuse_while_restoring(session)
        if len(stored_feeds(session)) >= MOST_FEEDS:
            raise TooManyFeeds(f"there are {MOST_FEEDS} feeds, which is the most: delete one first")
        values = {"path": path, "key_hash": _hash(key), "created": datetime.now(UTC).replace(microsecond=0)}
        counters.bump_sequence(session)
        return session.scalars(insert(Feed).values(**values).returning(Feed.id)).one()

    return CreatedFeed(with_key(path, key), database.write(create))


def delete_feed(database: Database, feed_id: int) -> bool:
    """Delete a feed, and return whether there was one: its key reads nothing any more. Raises DatabaseUnavailable."""

    def remove(session: Session) -> bool:
        refuse_while_restoring(session)
        counters.bump_sequence(session)
        return session.scalar(delete(Feed).where(Feed.id == feed_id).returning(Feed.id)) is not None

    return database.write(remove)


def path_of_key(database: Database, key: str, *, within: timedelta | None = None) -> str | None:
    """Return the path that a key reads, None for a wrong one; found by its hash, so that no time tells how much is right.

    Raises DatabaseUnavailable, and QueryTooLong after `within`.
    """
    with database.reading(within=within) as session:
        return keyed_path(session, _hash(key))


def _hash(key: str) -> str:
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
