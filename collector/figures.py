"""Figures of the collector, kept in the database so that they are right whichever process collects."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

from sqlalchemy import delete
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
    """Let the sequence grow: what the API shows has changed in this transaction."""
    _add(session, SEQUENCE, "", by)


def bump_generation(session: Session, *, by: int = 1) -> None:
    """Let the sequence grow, and the generation: a reader that began before sees another database now."""
    bump_sequence(session, by=by)
    _add(session, GENERATION, "", by)


def begin_epoch(session: Session) -> None:
    """Begin an epoch: no answer of before is taken for one of now, whatever was done to the file meanwhile."""
    _store(session, EPOCH, "", secrets.randbits(62))


def count_request(session: Session, outcome: str) -> None:
    """Count a request to X by its outcome."""
    _add(session, X_REQUESTS, outcome, 1)
    _store(session, X_ANSWERED, outcome, now_ms())


def count_page(session: Session, *, date: datetime, remaining: int | None) -> None:
    """Count a page that X sold and that is stored now; keep its clock, and how many requests its rate limit still allows.

    X's clock is kept as the seconds by which it is ahead of this machine's.
    """
    counts = [(X_REQUESTS, OK, 1), (SEQUENCE, "", 1)]
    increment(session, StoredCounter, [{"name": name, "label": label, "value": by} for name, label, by in counts], ("value",))
    ahead = round((date - datetime.now(UTC)).total_seconds())
    values = [(X_AHEAD, ahead), (RATE_LIMIT_REMAINING, remaining)]
    rows = [{"name": name, "label": "", "value": value} for name, value in values if value is not None]
    rows.append({"name": X_ANSWERED, "label": OK, "value": now_ms()})
    upsert(session, StoredCounter, rows, update=("value",))
    session.execute(_SELLS_AGAIN)


def note_refusal(session: Session, failure: XFailure) -> None:
    """Note that X refuses everything, and until which epoch second, if it said so (else 0)."""
    session.execute(delete(StoredCounter).where(StoredCounter.name == X_REFUSES))
    _store(session, X_REFUSES, failure.kind, int(failure.until.timestamp()) if failure.until else 0)


def note_schedule(session: Session, keeper: str, *, every: float, due: float) -> None:
    """Note who keeps a schedule now: its interval in seconds, 0 for none, and the epoch second at which it collects next."""
    _store(session, SCHEDULE, f"{keeper} seen", round(time.time()))
    _store(session, SCHEDULE, f"{keeper} every", round(every))
    _store(session, SCHEDULE, f"{keeper} due", round(due))


def _store(session: Session, name: str, label: str, value: int) -> None:
    upsert(session, StoredCounter, [{"name": name, "label": label, "value": value}], update=("value",))


def _add(session: Session, name: str, label: str, by: int) -> None:
    increment(session, StoredCounter, [{"name": name, "label": label, "value": by}], ("value",))


_SELLS_AGAIN = delete(StoredCounter.__table__).where(StoredCounter.name == X_REFUSES)  # type: ignore[arg-type]
