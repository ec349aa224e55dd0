"""Single values of the database: versions for ETags, X's clock, refusals, schedules, leases, the key of cursors."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, select, text
from sqlalchemy.orm import Session

from models import DatabaseMark, Lease, StoredCounter

SEQUENCE, X_REQUESTS, RATE_LIMIT_REMAINING = "sequence", "x_requests", "x_rate_limit_remaining"
ENDLESS_LISTINGS, NOTIFICATIONS = "endless_listings", "notifications"
GENERATION, X_AHEAD, X_REFUSES, SCHEDULE = "generation", "x_ahead_seconds", "x_refuses", "schedule"
X_ANSWERED, X_BILLING_DAY, X_LACKS = "x_answered", "x_billing_day", "x_lacks"
LATE_POSTS, LOOK_BACK_SECONDS, USUAL_LOOK_BACK_S = "late_posts", "look_back_seconds", 900
FIRST_ENDPOINT = "search"
"""The endpoint whose requests were counted before there was one in their label."""
ERASURES_OWED, EPOCH = "erasures_owed", "epoch"
KEEPERS = SERVICE, COMMAND = ("service", "command")
"""The processes that can keep a schedule: the service, and `python api.py --every`."""
SAME_CLOCK_S = 60
DEAD_AFTER_S = 180
COLLECTOR, CALLS = "collector", "calls"
"""The names of leases."""
FARTHEST_S = 120  # the longest term of a lease; a later expiry was written while this machine's clock was ahead


class ScheduleState(NamedTuple):
    """A schedule: its interval in seconds, when it collects next (UTC), and whether the process that keeps it is alive."""

    every: int
    due: datetime
    kept: bool


class Stamp(NamedTuple):
    """The version of the database that a response shows: the sequence number of changes, and the epoch that it counts in.

    Each start of the service begins an epoch, because a file that replaced another has a sequence of its own.
    """

    epoch: int
    sequence: int


def stamp(session: Session) -> Stamp:
    """The version that this session sees."""
    return stamp_of(session.execute(_STAMP))


def stamp_of(rows: Iterable[Any]) -> Stamp:
    """The version in rows of names and values, such as those of NEWEST."""
    values = {name: value for name, value in rows}  # noqa: C416 (a dict of rows)
    return Stamp(values.get(EPOCH, 0), values.get(SEQUENCE, 0))


def sequence(session: Session) -> int:
    """A number that grows with every change of what the API shows."""
    return _value(session, SEQUENCE) or 0


def generation(session: Session) -> int:
    """A number that grows whenever the tweets as a whole are deleted or replaced."""
    return _value(session, GENERATION) or 0


def current_refusals(session: Session) -> dict[str, datetime | None]:
    """The kinds of failure by which X refused the newest collection, each with its end (UTC) where X gave one."""
    refusals = _by_label(session, X_REFUSES).items()
    return {label: datetime.fromtimestamp(value, UTC) if value else None for label, value in refusals}


def missing_fields(session: Session) -> list[str]:
    """The fields of posts that X did not give in the newest collection that brought posts, by name."""
    return sorted(_by_label(session, X_LACKS))


def last_answer(session: Session) -> tuple[str, datetime] | None:
    """The outcome and time (UTC) of the newest request to X, None before the first."""
    answers = _by_label(session, X_ANSWERED)
    if not answers:
        return None
    outcome = min(answers, key=lambda label: (-answers[label], label))
    return outcome, datetime.fromtimestamp(answers[outcome] / 1000, UTC)


def x_requests_label(endpoint: str, outcome: str) -> str:
    """The label of the counter of requests to X with this endpoint and outcome."""
    return f"{endpoint} {outcome}"


def x_requests(counters: Iterable[tuple[str, int]]) -> dict[tuple[str, str], int]:
    """The number of requests to X by endpoint and outcome, from labels and values of stored counters."""
    found: Counter[tuple[str, str]] = Counter()
    for label, value in counters:
        endpoint, _, outcome = label.rpartition(" ")
        found[endpoint or FIRST_ENDPOINT, outcome] += value
    return found


def is_schedule_kept(session: Session, keeper: str) -> bool:
    """Whether a process kept its schedule within the last three minutes."""
    return _is_alive(_value(session, SCHEDULE, f"{keeper} seen"))


def schedule(session: Session) -> ScheduleState | None:
    """The schedule that collects next; one whose process has died only if no other process keeps one."""
    values = _by_label(session, SCHEDULE)
    found = [
        ScheduleState(every, datetime.fromtimestamp(values[f"{keeper} due"], UTC), _is_alive(values.get(f"{keeper} seen")))
        for keeper in KEEPERS
        if (every := values.get(f"{keeper} every"))
    ]
    return min(found, key=lambda one: (not one.kept, one.due), default=None)


def x_now(session: Session) -> datetime:
    """X's time (UTC): this machine's, corrected if the Date of X's last response was more than a minute off."""
    return datetime.now(UTC) + x_ahead(session)


def x_ahead(session: Session) -> timedelta:
    """By how much X's clock is ahead of this machine's; nothing if it is not more than a minute off."""
    ahead = _value(session, X_AHEAD) or 0
    return timedelta(seconds=ahead) if abs(ahead) > SAME_CLOCK_S else timedelta()


def is_x_time_known(session: Session) -> bool:
    """Whether X has ever responded with its time."""
    return _value(session, X_AHEAD) is not None


def live_token(session: Session) -> int | None:
    """Return the token of the collector's lease while it is held, else None."""
    return session.scalar(select(Lease.token).where(is_live(COLLECTOR)))


def is_live(name: str) -> ColumnElement[bool]:
    """Return the condition on Lease that it has this name and is held."""
    return and_(Lease.name == name, is_held())


def is_held() -> ColumnElement[bool]:
    """Return the condition on Lease that somebody has it."""
    return and_(Lease.holder.is_not(None), Lease.expires.between(now_ms() + 1, now_ms() + FARTHEST_S * 1000))


def now_ms() -> int:
    """Return the time in epoch milliseconds."""
    return int(time.time() * 1000)


def cursor_key(session: Session) -> bytes:
    """Return the key by which the cursors of this database's lists are signed."""
    return session.scalars(select(DatabaseMark.value).where(DatabaseMark.name == "cursor_key")).one().encode()


def _value(session: Session, name: str, label: str = "") -> int | None:
    return session.scalar(select(StoredCounter.value).where(StoredCounter.name == name, StoredCounter.label == label))


def _by_label(session: Session, name: str) -> dict[str, int]:
    rows = session.execute(select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == name))
    return {label: value for label, value in rows}  # noqa: C416 (a dict of rows)


def _is_alive(seen: int | None) -> bool:
    return seen is not None and seen > time.time() - DEAD_AFTER_S


_STAMP_SQL = f"SELECT name, value FROM counters WHERE name IN ('{EPOCH}', '{SEQUENCE}') AND label = ''"  # noqa: S608 (constants)
_STAMP = text(_STAMP_SQL)
NEWEST = f"{_STAMP_SQL} UNION ALL SELECT name, CASE WHEN holder IS NULL THEN -token ELSE token END FROM leases ORDER BY 1"  # noqa: S608
"""A query whose rows differ between any two states that the API shows differently: the version, and who holds each lease."""
