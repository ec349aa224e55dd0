"""Figures of the service as a whole, for its metrics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import case, func, select, text
from sqlalchemy.orm import Session

from models import Listing, Run, StoredCounter, Tag, TagLang
from queries.gaps import unread
from queries.leases import live_token

SEQUENCE, X_REQUESTS, RATE_LIMIT_REMAINING = "sequence", "x_requests", "x_rate_limit_remaining"
GENERATION, X_AHEAD, X_REFUSES, SCHEDULE = "generation", "x_ahead_seconds", "x_refuses", "schedule"
X_ANSWERED = "x_answered"
ERASURES_OWED, EPOCH = "erasures_owed", "epoch"
KEEPERS = SERVICE, COMMAND = ("service", "command")
SAME_CLOCK_S = 60
DEAD_AFTER_S = 180
ENDED = ("done", "partial", "failed")


class ScheduleState(NamedTuple):
    """A schedule: its interval in seconds, when it collects next (UTC), and whether whoever keeps it is alive."""

    every: int
    due: datetime
    kept: bool


class ServiceMetrics(NamedTuple):
    """Figures of one state of the database. Durations are in seconds, times in UTC; None where nothing is known yet."""

    tweets: Mapping[str, int]
    x_requests: Mapping[str, int]
    rate_limit_remaining: int | None
    collections: Mapping[str, int]
    running: bool
    last_duration: float | None
    last_success: datetime | None
    sequence: int
    refused: Mapping[str, datetime | None]
    schedule: ScheduleState | None
    gaps: Mapping[str, int]
    gaps_expired: Mapping[str, int]


def sequence(session: Session) -> int:
    """Return a number that grows with every change of what the API shows."""
    return session.scalar(select(StoredCounter.value).where(StoredCounter.name == SEQUENCE)) or 0


class Stamp(NamedTuple):
    """Which state of the database an answer is of: the sequence of changes, and the epoch in which it counts.

    An epoch begins with each start of the service, for a file that was put in the place of another one counts for itself.
    """

    epoch: int
    sequence: int


def stamp(session: Session) -> Stamp:
    """Return the stamp of what this session sees."""
    return stamp_of(session.execute(_STAMP))


def stamp_of(rows: Iterable[Any]) -> Stamp:
    """Return the stamp that rows of names and values tell, as those of NEWEST."""
    figures = {name: value for name, value in rows}  # noqa: C416 (of rows)
    return Stamp(figures.get(EPOCH, 0), figures.get(SEQUENCE, 0))


def generation(session: Session) -> int:
    """Return a number that grows whenever the tweets as a whole are dropped or replaced."""
    return session.scalar(select(StoredCounter.value).where(StoredCounter.name == GENERATION)) or 0


def current_refusals(session: Session) -> dict[str, datetime | None]:
    """Return by which kinds of failure X refused the newest collection, and until when (UTC), where X said so."""
    rows = session.execute(select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == X_REFUSES))
    return {label: datetime.fromtimestamp(value, UTC) if value else None for label, value in rows}


def last_answer(session: Session) -> tuple[str, datetime] | None:
    """Return by which kind of outcome the newest request to X ended, and when (UTC), or None where X was not asked yet."""
    rows = (
        select(StoredCounter.label, StoredCounter.value)
        .where(StoredCounter.name == X_ANSWERED)
        .order_by(StoredCounter.value.desc(), StoredCounter.label)
    )
    row = session.execute(rows.limit(1)).first()
    return (row[0], datetime.fromtimestamp(row[1] / 1000, UTC)) if row else None


def keeps(session: Session, keeper: str) -> bool:
    """Tell whether a schedule was kept a moment ago."""
    seen = session.scalar(
        select(StoredCounter.value).where(StoredCounter.name == SCHEDULE, StoredCounter.label == f"{keeper} seen")
    )
    return seen is not None and seen > time.time() - DEAD_AFTER_S


def schedule(session: Session) -> ScheduleState | None:
    """Return the schedule that collects first of those that are kept; one whose keeper has died where there is no other."""
    rows = session.execute(select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == SCHEDULE))
    figures = {label: value for label, value in rows}  # noqa: C416 (a dict of rows)
    found = [
        ScheduleState(every, datetime.fromtimestamp(figures[f"{keeper} due"], UTC), keeps(session, keeper))
        for keeper in KEEPERS
        if (every := figures.get(f"{keeper} every"))
    ]
    return min(found, key=lambda one: (not one.kept, one.due), default=None)


def x_now(session: Session) -> datetime:
    """Return X's time (UTC) as far as it is known: this machine's, unless X's last answer was more than a minute off."""
    ahead = session.scalar(select(StoredCounter.value).where(StoredCounter.name == X_AHEAD)) or 0
    return datetime.now(UTC) + (timedelta(seconds=ahead) if abs(ahead) > SAME_CLOCK_S else timedelta())


def is_x_time_known(session: Session) -> bool:
    """Tell whether X's time was ever heard."""
    return session.scalar(select(StoredCounter.value).where(StoredCounter.name == X_AHEAD)) is not None


def service_metrics(session: Session) -> ServiceMetrics:
    """Return all figures; tags and states that have none yet are there with 0."""
    tweets = func.coalesce(func.sum(TagLang.tweets), 0)
    stored = select(Tag.tag, tweets).outerjoin(TagLang).where(Tag.tracked).group_by(Tag.id, Tag.tag)
    gaps = func.coalesce(func.sum(case((unread(session), 1), else_=0)), 0)
    expired = func.coalesce(func.sum(case((Listing.expired, 1), else_=0)), 0)
    left = select(Tag.tag, gaps, expired).outerjoin(Listing, Listing.tag_id == Tag.id).where(Tag.tracked)
    counted = session.execute(left.group_by(Tag.id, Tag.tag)).all()
    figures = {
        (row.name, row.label): row.value
        for row in session.execute(select(StoredCounter.name, StoredCounter.label, StoredCounter.value))
    }
    collections = Run.kind == "collection"
    states = session.execute(select(Run.state, func.count()).where(collections).group_by(Run.state))
    durations = select(Run.milliseconds).where(collections, Run.milliseconds.is_not(None)).order_by(Run.id.desc()).limit(1)
    duration = session.scalar(durations)
    token = live_token(session)
    running = token is not None and session.scalar(select(Run.id).where(Run.state == "running", Run.token == token)) is not None
    return ServiceMetrics(
        tweets={row[0]: row[1] for row in session.execute(stored)},
        x_requests={label: value for (name, label), value in figures.items() if name == X_REQUESTS},
        rate_limit_remaining=figures.get((RATE_LIMIT_REMAINING, "")),
        collections=dict.fromkeys(ENDED, 0) | {state: count for state, count in states if state in ENDED},
        running=running,
        last_duration=None if duration is None else duration / 1000,
        last_success=session.scalar(select(func.max(Run.ended)).where(collections, Run.state.in_(["done", "partial"]))),
        sequence=figures.get((SEQUENCE, ""), 0),
        refused=current_refusals(session),
        schedule=schedule(session),
        gaps={row[0]: row[1] for row in counted},
        gaps_expired={row[0]: row[2] for row in counted},
    )


_STAMP_SQL = f"SELECT name, value FROM counters WHERE name IN ('{EPOCH}', '{SEQUENCE}') AND label = ''"  # noqa: S608 (constants)
_STAMP = text(_STAMP_SQL)
NEWEST = f"{_STAMP_SQL} UNION ALL SELECT name, CASE WHEN holder IS NULL THEN -token ELSE token END FROM leases ORDER BY 1"  # noqa: S608
"""A question to which each state that the API shows differently has another answer: the stamp, and who holds which right."""
