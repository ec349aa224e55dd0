"""Scheduled jobs: how each of them last went."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import JobState

INTERRUPTED_KIND = "interrupted"
BROKEN_OFF = "it was broken off"


class JobView(NamedTuple):
    """A scheduled job: when it last began and last succeeded (UTC), and why its last attempt failed.

    A job that is running, or whose process died, counts as interrupted.
    """

    name: str
    began: datetime
    succeeded: datetime | None
    error: str | None
    failure_kind: str | None

    @property
    def has_failed(self) -> bool:
        """Whether the last attempt failed; an interruption is no failure."""
        return self.error is not None and self.failure_kind != INTERRUPTED_KIND


def job_states(session: Session) -> list[JobView]:
    """The jobs that have begun at least once, by name."""
    columns = select(JobState.name, JobState.began, JobState.succeeded, JobState.error, JobState.failure_kind)
    return [JobView._make(row) for row in session.execute(columns.order_by(JobState.name))]
