"""Checks of watches: the time at which they are made, and what they give. They read, and change nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from collector.runs.runs import running
from queries.counters import schedule, x_ahead
from queries.watches import StoredWatch
from queries.zones import HOUR_S, Period
from watches.findings import Finding

LEAST_GRACE_S, GRACE_WITHOUT_SCHEDULE_S = 2 * HOUR_S, 26 * HOUR_S
INTERVALS_OF_GRACE = 2
LATEST = timedelta(days=7)


class CheckTime(NamedTuple):
    """The time of a check: our clock (UTC), and X's in epoch seconds, which says what is over.

    What is not collected is waited for `grace` seconds. `running` is the id of the collection that runs. What is older than
    `latest` is not told late.
    """

    ours: datetime
    x: int
    grace: int
    running: int | None
    latest: timedelta = LATEST

    @property
    def latest_s(self) -> int:
        """Its seconds."""
        return int(self.latest.total_seconds())


class Found(NamedTuple):
    """A finding, and the time (UTC) from which on it can be found."""

    finding: Finding
    at: datetime


class CheckResult(NamedTuple):
    """What a check found, in the order in which it is told, and the watch as it is moved on.

    If nothing is stored meanwhile, a check before `again`, in epoch seconds of X's clock, would find nothing more.
    """

    found: list[Found]
    watch: StoredWatch
    again: int = 0


def check_time(session: Session, now: datetime) -> CheckTime:
    """Return the time of a check that is made now (UTC). The grace is twice the interval of collections, at least two hours."""
    kept = schedule(session)
    grace = max(LEAST_GRACE_S, INTERVALS_OF_GRACE * kept.every) if kept else GRACE_WITHOUT_SCHEDULE_S
    return CheckTime(now, int((now + x_ahead(session)).timestamp()), grace, running(session))


def found_in(kind: str, period: Period, *, at: int) -> Found:
    """Return what was found of a period and can be found from then on, both in epoch seconds."""
    first, end, then = (datetime.fromtimestamp(second, UTC) for second in (*period, at))
    return Found(Finding(kind, first, end), then)
