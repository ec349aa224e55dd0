"""Chores: how each of them went last."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import JobState

INTERRUPTED_KIND = "interrupted"
BROKEN_OFF = "it was broken off"


class JobView(NamedTuple):
    """A chore: when it began last and when it last succeeded (UTC), and why it did not the last time.

    While it is done, and where its process died, it counts as broken off.
    """

    name: str
    began: datetime
    succeeded: datetime | None
    error: str | None
    failure_kind: str | None

    @property
    def has_failed(self) -> bool:
        """Whether it could not be done the last time."""
        return self.error is not None and self.failure_kind != INTERRUPTED_KIND


def job_states(session: Session) -> list[JobView]:
    """Return what was done at least once, by name."""
    columns = select(JobState.name, JobState.began, JobState.succeeded, JobState.error, JobState.failure_kind)
    return [JobView._make(row) for row in session.execute(columns.order_by(JobState.name))]
