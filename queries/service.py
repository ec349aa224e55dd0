"""The state of the service: its metrics, and the result of each scheduled job's last run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from models import AuthorLookup, JobState, Lease, Listing, Run, StoredCounter, Tag, TagLang
from queries.counters import (
    ENDLESS_LISTINGS,
    LATE_POSTS,
    LOOK_BACK_SECONDS,
    RATE_LIMIT_REMAINING,
    SEQUENCE,
    USUAL_LOOK_BACK_S,
    X_REQUESTS,
    ScheduleState,
    current_refusals,
    is_held,
    live_token,
    missing_fields,
    schedule,
    x_requests,
)
from queries.gaps import unread
from queries.refreshing import refresh_off

ENDED = ("done", "partial", "failed")
INTERRUPTED_KIND, NOT_OFFERED_KIND = "interrupted", "not-offered"
BROKEN_OFF = "it was broken off"
JOB_LEASE = "job "
"""What the lease of a scheduled job is called, before its name."""


class ServiceMetrics(NamedTuple):
    """Metrics of one state of the database. Durations are in seconds, times in UTC; None where nothing is known yet."""

    tweets: Mapping[str, int]
    x_requests: Mapping[tuple[str, str], int]
    rate_limit_remaining: int | None
    collections: Mapping[str, int]
    running: bool
    last_duration: float | None
    last_success: datetime | None
    sequence: int
    refused: Mapping[str, datetime | None]
    missing_fields: Sequence[str]
    schedule: ScheduleState | None
    gaps: Mapping[str, int]
    gaps_expired: Mapping[str, int]
    endless_listings: int
    authors_waiting: int
    late_posts: Mapping[str, int]
    look_back_seconds: Mapping[str, int]
    refresh_off: bool


def service_metrics(session: Session) -> ServiceMetrics:
    """All metrics of the service. Tracked tags and outcomes without a number have 0."""
    tweets = func.coalesce(func.sum(TagLang.tweets), 0)
    stored = select(Tag.tag, tweets).outerjoin(TagLang).where(Tag.tracked).group_by(Tag.id, Tag.tag)
    gaps = func.coalesce(func.sum(case((unread(session), 1), else_=0)), 0)
    expired = func.coalesce(func.sum(case((Listing.expired, 1), else_=0)), 0)
    left = select(Tag.tag, gaps, expired).outerjoin(Listing, Listing.tag_id == Tag.id).where(Tag.tracked)
    counted = session.execute(left.group_by(Tag.id, Tag.tag)).all()
    counters = {
        (row.name, row.label): row.value
        for row in session.execute(select(StoredCounter.name, StoredCounter.label, StoredCounter.value))
    }
    keys = {row.key: row.tag for row in session.execute(select(Tag.key, Tag.tag).where(Tag.tracked))}
    collections = Run.kind == "collection"
    states = session.execute(select(Run.state, func.count()).where(collections).group_by(Run.state))
    durations = select(Run.milliseconds).where(collections, Run.milliseconds.is_not(None)).order_by(Run.id.desc()).limit(1)
    duration = session.scalar(durations)
    token = live_token(session)
    running = token is not None and session.scalar(select(Run.id).where(Run.state == "running", Run.token == token)) is not None
    return ServiceMetrics(
        tweets={row[0]: row[1] for row in session.execute(stored)},
        x_requests=x_requests((label, value) for (name, label), value in counters.items() if name == X_REQUESTS),
        rate_limit_remaining=counters.get((RATE_LIMIT_REMAINING, "")),
        collections=dict.fromkeys(ENDED, 0) | {state: count for state, count in states if state in ENDED},
        running=running,
        last_duration=None if duration is None else duration / 1000,
        last_success=session.scalar(
            select(func.max(Run.ended)).where(collections, ~Run.backfills, Run.state.in_(["done", "partial"]))
        ),
        sequence=counters.get((SEQUENCE, ""), 0),
        refused=current_refusals(session),
        missing_fields=missing_fields(session),
        schedule=schedule(session),
        gaps={row[0]: row[1] for row in counted},
        gaps_expired={row[0]: row[2] for row in counted},
        endless_listings=counters.get((ENDLESS_LISTINGS, ""), 0),
        authors_waiting=session.scalar(select(func.count()).where(AuthorLookup.asked_at.is_(None))) or 0,
        late_posts={tag: counters.get((LATE_POSTS, key), 0) for key, tag in keys.items()},
        refresh_off=refresh_off(session) is not None,
        look_back_seconds={tag: counters.get((LOOK_BACK_SECONDS, key), USUAL_LOOK_BACK_S) for key, tag in keys.items()},
    )


class JobView(NamedTuple):
    """A scheduled job: when it last began and last succeeded (UTC), and why its last attempt failed.

    While one runs, the attempt before counts. One whose process died counts as interrupted.
    """

    name: str
    began: datetime
    succeeded: datetime | None
    error: str | None
    failure_kind: str | None

    @property
    def has_failed(self) -> bool:
        """Whether the last attempt failed; an interruption is no failure, nor is what X does not offer the account."""
        return self.error is not None and self.failure_kind not in (INTERRUPTED_KIND, NOT_OFFERED_KIND)

    @property
    def is_offered(self) -> bool:
        """Whether X offers the account what the job needs, as far as is known."""
        return self.failure_kind != NOT_OFFERED_KIND


def job_states(session: Session) -> list[JobView]:
    """The jobs that have begun at least once, by name."""
    columns = select(JobState.name, JobState.began, JobState.succeeded, JobState.error, JobState.failure_kind)
    running = set(session.scalars(select(Lease.name).where(is_held())))
    jobs = (JobView._make(row) for row in session.execute(columns.order_by(JobState.name)))
    return [one if JOB_LEASE + one.name in running else _ended(one) for one in jobs]


def _ended(job: JobView) -> JobView:
    """Return a job that doesn't run: if it neither succeeded nor failed since it began, it was broken off."""
    is_unknown = job.error is None and (job.succeeded is None or job.succeeded < job.began)
    return job._replace(error=BROKEN_OFF, failure_kind=INTERRUPTED_KIND) if is_unknown else job
