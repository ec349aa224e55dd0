"""Records of refreshing: how far a UTC day's is, what seems to be gone, whether it is off, and an ordered look."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from alchemy import Database
from collector import counters
from collector.runs import lease
from database.statements import upsert
from models import DatabaseMark, StoredCounter
from queries.refreshing import DAY, GONE, OFF, ORDER, RefreshDay, RefreshOff, RefreshOrder, refresh_day, refresh_off

log = logging.getLogger(__name__)


def record_day(session: Session, record: RefreshDay) -> None:
    """Store what was done on a day, in place of an earlier one."""
    rows = [{"name": DAY, "label": name, "value": value} for name, value in record._asdict().items()]
    upsert(session, StoredCounter, rows, update=("value",))


def await_second_look(session: Session, ids: Iterable[int], *, now: datetime) -> None:
    """Record that these tweets seem to be gone, and when (UTC)."""
    rows = [{"name": GONE, "label": str(one), "value": int(now.timestamp())} for one in ids]
    upsert(session, StoredCounter, rows, update=("value",))


def forget_second_look(session: Session, ids: Sequence[int] | None = None) -> None:
    """Forget that these tweets, or any, seem to be gone."""
    these = () if ids is None else (StoredCounter.label.in_(map(str, ids)),)
    session.execute(delete(StoredCounter).where(StoredCounter.name == GONE, *these))


def switch_off(session: Session, reason: str) -> None:
    """Record that refreshing went off by itself, and why."""
    value = f"{datetime.now(UTC).isoformat(timespec='seconds')} {reason}"
    upsert(session, DatabaseMark, [{"name": OFF, "value": value}], update=("value",))
    counters.bump_sequence(session)


def switch_on(database: Database) -> RefreshOff | None:
    """Let refreshing go on, and return why it was off, or None if it was not; raises DatabaseUnavailable.

    The day on which it went off is over for it: what was read since would be compared with a count that is wrong.
    """

    def change(session: Session) -> RefreshOff | None:
        lease.refuse_while_restoring(session)
        was = refresh_off(session)
        if was:
            session.execute(delete(DatabaseMark).where(DatabaseMark.name == OFF))
            forget_second_look(session)
            if record := refresh_day(session):
                record_day(session, record._replace(done=1))
            counters.bump_sequence(session)
        return was

    was = database.write(change)
    if was:
        log.info("refreshing switched on", extra={"reason": was.reason})
    return was


def record_order(session: Session, order: RefreshOrder) -> None:
    """Store an ordered look, in place of another."""
    upsert(session, DatabaseMark, [{"name": ORDER, "value": order.text}], update=("value",))


def forget_order(session: Session) -> None:
    """Delete the ordered look, because it is done or not wanted any more."""
    session.execute(delete(DatabaseMark).where(DatabaseMark.name == ORDER))
    counters.bump_sequence(session)
