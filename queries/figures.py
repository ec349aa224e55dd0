"""Figures of the service as a whole, for its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Figure, Run, Tag, TweetTag
from queries.leases import live_token

SEQUENCE, X_REQUESTS, RATE_LIMIT_REMAINING = "sequence", "x_requests", "x_rate_limit_remaining"
GENERATION = "generation"
ENDED = ("done", "partial", "failed")


class ServiceFigures(NamedTuple):
    """Figures of one state of the database. Durations are in seconds, times in UTC; None where nothing is known yet."""

    tweets: Mapping[str, int]
    x_requests: Mapping[str, int]
    rate_limit_remaining: int | None
    collections: Mapping[str, int]
    running: bool
    last_duration: float | None
    last_success: datetime | None
    sequence: int


def generation(session: Session) -> int:
    """Return a number that grows whenever the tweets as a whole are dropped or replaced."""
    return session.scalar(select(Figure.value).where(Figure.name == GENERATION)) or 0


def service_figures(session: Session) -> ServiceFigures:
    """Return all figures; tags and states that have none yet are there with 0."""
    stored = select(Tag.tag, func.count(TweetTag.tweet_id)).outerjoin(TweetTag).where(Tag.tracked).group_by(Tag.id, Tag.tag)
    figures = {(row.name, row.label): row.value for row in session.execute(select(Figure.name, Figure.label, Figure.value))}
    collections = Run.kind == "collection"
    states = session.execute(select(Run.state, func.count()).where(collections).group_by(Run.state))
    durations = select(Run.milliseconds).where(collections, Run.milliseconds.is_not(None)).order_by(Run.id.desc()).limit(1)
    duration = session.scalar(durations)
    token = live_token(session)
    running = token is not None and session.scalar(select(Run.id).where(Run.state == "running", Run.token == token)) is not None
    return ServiceFigures(
        tweets={row[0]: row[1] for row in session.execute(stored)},
        x_requests={label: value for (name, label), value in figures.items() if name == X_REQUESTS},
        rate_limit_remaining=figures.get((RATE_LIMIT_REMAINING, "")),
        collections=dict.fromkeys(ENDED, 0) | {state: count for state, count in states if state in ENDED},
        running=running,
        last_duration=None if duration is None else duration / 1000,
        last_success=session.scalar(select(func.max(Run.ended)).where(collections, Run.state.in_(["done", "partial"]))),
        sequence=figures.get((SEQUENCE, ""), 0),
    )
