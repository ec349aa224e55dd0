"""Payloads of what is stored: each version of a tweet, and each author as observed last."""

from __future__ import annotations

from collections.abc import Iterable, Set

from sqlalchemy.orm import Session

from collector.values import AuthorSeen, Find
from models import AuthorPayload, Payload
from sql.statements import upsert


def keep(session: Session, finds: Iterable[Find], stored: Set[int], authors: Iterable[AuthorSeen]) -> None:
    """Keep what X gave of the tweets with these ids, every version that was found, and of these authors, who are stored."""
    rows = [
        {"id": tweet.version, "tweet_id": tweet.id, "retrieved": tweet.retrieved, "body": tweet.payload}
        for tweet in (find.tweet for find in finds)
        if tweet.payload and tweet.id in stored
    ]
    upsert(session, Payload, rows, update=("retrieved", "body"), newest="retrieved")
    people = [
        {"author_id": author.id, "retrieved": author.observed, "body": author.payload} for author in authors if author.payload
    ]
    upsert(session, AuthorPayload, people, update=("retrieved", "body"), newest="retrieved")
