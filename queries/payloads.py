"""Payloads: what X gave of tweets and their authors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from database.functions import among
from models import AuthorPayload, Payload, Tweet


class TweetPayload(NamedTuple):
    """What X gave of a tweet's newest version that is kept, packed, with its author; None where nothing is kept."""

    id: int
    body: bytes | None
    retrieved: datetime | None
    author_id: int | None
    author: bytes | None
    author_retrieved: datetime | None


class TweetPayloads(NamedTuple):
    """Reads tweets as their payloads."""

    def rows(self, session: Session, ids: Sequence[int]) -> list[TweetPayload]:
        """Return those of the tweets with these ids, in this order; missing ones are left out."""
        found = {row.id: TweetPayload(*row) for row in session.execute(_PAYLOADS.where(among(Tweet.id, ids)))}
        return [found[own] for own in ids if own in found]

    def run(self, session: Session, *, after: int, most: int) -> tuple[list[TweetPayload], int | None]:
        """Return at most `most` of all tweets with ids above `after`, lowest id first, and the id of the last one."""
        query = _PAYLOADS.where(Tweet.id > after).order_by(Tweet.id).limit(most)
        found = [TweetPayload(*row) for row in session.execute(query)]
        return found, found[-1].id if found else None


_other = aliased(Payload)
_newest = select(func.max(_other.id)).where(_other.tweet_id == Tweet.id).correlate(Tweet).scalar_subquery()
_PAYLOADS = (
    select(Tweet.id, Payload.body, Payload.retrieved, AuthorPayload.author_id, AuthorPayload.body, AuthorPayload.retrieved)
    .select_from(Tweet)
    .outerjoin(Payload, Payload.id == _newest)
    .outerjoin(AuthorPayload, AuthorPayload.author_id == Tweet.author_id)
)
