"""Payloads: what X gave of tweets and their authors, in short batches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from alchemy import Database
from models import AuthorPayload, Payload, Tweet
from queries import batches
from queries.filters import ALL, Filters, conditions


class TweetPayload(NamedTuple):
    """What X gave of a tweet's newest version that is kept, packed, with its author; None where nothing is kept."""

    id: int
    body: bytes | None
    retrieved: datetime | None
    author_id: int | None
    author: bytes | None
    author_retrieved: datetime | None


def batch(session: Session, *, after: int, most: int, filters: Filters = ALL) -> list[TweetPayload]:
    """Return at most `most` of the wanted tweets whose id is greater than `after`, oldest id first."""
    asked = _PAYLOADS.where(Tweet.id > after, *conditions(filters)).limit(most)
    return [TweetPayload(*row) for row in session.execute(asked)]


def in_batches(database: Database, *, filters: Filters = ALL, most: int = 100) -> Iterator[list[TweetPayload]]:
    """Give the wanted tweets, oldest id first, in batches; raises TweetsReplaced."""
    return batches.in_batches(database, lambda session, after: batch(session, after=after, most=most, filters=filters))


_other = aliased(Payload)
_newest = select(func.max(_other.id)).where(_other.tweet_id == Tweet.id).correlate(Tweet).scalar_subquery()
_PAYLOADS = (
    select(Tweet.id, Payload.body, Payload.retrieved, AuthorPayload.author_id, AuthorPayload.body, AuthorPayload.retrieved)
    .select_from(Tweet)
    .outerjoin(Payload, Payload.id == _newest)
    .outerjoin(AuthorPayload, AuthorPayload.author_id == Tweet.author_id)
    .order_by(Tweet.id)
)
