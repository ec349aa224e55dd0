"""Counters of the collector, stored in the database so that they are right whichever process collects."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from collector.x.failures import OK, XFailure
from database.statements import increment, upsert
from models import StoredCounter
from queries.figures import (
    EPOCH,
    GENERATION,
    RATE_LIMIT_REMAINING,
    SCHEDULE,
    SEQUENCE,
    X_AHEAD,
    X_ANSWERED,
    X_REFUSES,
    X_REQUESTS,
)
from queries.leases import now_ms


def bump_sequence(session: Session, *, by: int = 1) -> None:
    """Increase the sequence: what the API shows changes in this transaction."""
    _add(session, SEQUENCE, "", by)


def bump_generation(session: Session, *, by: int = 1) -> None:
    """Increase the sequence and the generation: the tweets as a whole are dropped or replaced in this transaction."""
    bump_sequence(session, by=by)
    _add(session, GENERATION, "", by)


def begin_epoch(session: Session) -> None:
    """Begin an epoch, so that no earlier answer counts as current, whatever was done to the file meanwhile."""
    _store(session, EPOCH, "", secrets.randbits(62))


def count_request(session: Session, outcome: str) -> None:
    """Count a request to X by its outcome, a word of collector.x.failures.KINDS."""
    _add(session, X_REQUESTS, outcome, 1)
    _store(session, X_ANSWERED, outcome, now_ms())


def count_page(session: Session, *, date: datetime, remaining: int | None) -> None:
    """Count a page that X sold and that is stored now; `date` (UTC) is X's clock, `remaining` what its rate limit still allows.

    X's clock is stored as the seconds by which it is ahead of this machine's.
    """
    ahead = round((date - datetime.now(UTC)).total_seconds())
    values = [(X_REQUESTS, OK, 1), (SEQUENCE, "", 1), (X_AHEAD, "", ahead), (X_ANSWERED, OK, now_ms())]
    values += [(RATE_LIMIT_REMAINING, "", remaining)] if remaining is not None else []
    session.execute(_COUNT_PAGE, [{"name": name, "label": label, "value": value} for name, label, value in values])
    session.execute(delete(StoredCounter).where(StoredCounter.name == X_REFUSES))


def note_refusal(session: Session, failure: XFailure) -> None:
    """Record that X refuses everything, and until which epoch second, if it said so (else 0)."""
    session.execute(delete(StoredCounter).where(StoredCounter.name == X_REFUSES))
    _store(session, X_REFUSES, failure.kind, int(failure.until.timestamp()) if failure.until else 0)


def note_schedule(session: Session, keeper: str, *, every: float, due: float) -> None:
    """Record which process collects on a schedule: its interval in seconds (0 for none), and its next run (epoch second)."""
    _store(session, SCHEDULE, f"{keeper} seen", round(time.time()))
    _store(session, SCHEDULE, f"{keeper} every", round(every))
    _store(session, SCHEDULE, f"{keeper} due", round(due))


def _store(session: Session, name: str, label: str, value: int) -> None:
    upsert(session, StoredCounter, [{"name": name, "label": label, "value": value}], update=("value",))


def _add(session: Session, name: str, label: str, by: int) -> None:
    increment(session, StoredCounter, [{"name": name, "label": label, "value": by}], ("value",))


_TABLE = StoredCounter.__tablename__
_COUNT_PAGE = text(
    f"INSERT INTO {_TABLE} (name, label, value) VALUES (:name, :label, :value) ON CONFLICT (name, label) DO UPDATE SET "  # noqa: S608 (constants)
    f"value = excluded.value + CASE WHEN {_TABLE}.name IN ('{X_REQUESTS}', '{SEQUENCE}') THEN {_TABLE}.value ELSE 0 END"
)
