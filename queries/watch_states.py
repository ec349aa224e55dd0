"""How watches fare: what was sent of each, what waits and what fails, and the last messages of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Row, case, func, select
from sqlalchemy.orm import Session

from models import Message, Notification


class DestinationState(NamedTuple):
    """What a watch sent to a destination: when last (UTC), how many messages wait, and whether the last tries failed."""

    destination: str
    sent: datetime | None
    waiting: int
    is_failing: bool


class SentMessage(NamedTuple):
    """A message to a destination; the columns of models.watch say what they mean."""

    destination: str
    kind: str
    start: datetime
    end: datetime
    found: datetime
    state: str
    tries: int
    error: str | None
    sent_at: datetime | None


def watch_states(session: Session) -> Mapping[int, Sequence[DestinationState]]:
    """Return for each watch, by id, how its destinations fare, by name; none before its first message."""
    is_waiting, own = Notification.state == "waiting", (Message.watch_id, Notification.destination)
    last = {state: func.max(case((Notification.state == state, Notification.id))) for state in ("sent", "failed")}
    counts = select(
        *own,
        func.max(Notification.sent_at).label("sent"),
        func.sum(case((is_waiting, 1), else_=0)).label("waiting"),
        func.sum(case((is_waiting & (Notification.tries > 0), 1), else_=0)).label("tried"),
        *(number.label(f"last_{state}") for state, number in last.items()),
    ).join(Message, Message.id == Notification.message_id)
    rows = session.execute(counts.group_by(*own).order_by(*own)).all()
    return {number: [_state(one) for one in of_watch] for number, of_watch in groupby(rows, attrgetter("watch_id"))}


def last_messages(session: Session, watch_id: int, *, most: int) -> list[SentMessage]:
    """Return the newest messages of a watch, newest first."""
    columns = [getattr(Notification if hasattr(Notification, name) else Message, name) for name in SentMessage._fields]
    wanted = select(*columns).join(Message, Message.id == Notification.message_id).where(Message.watch_id == watch_id)
    return [SentMessage._make(row) for row in session.execute(wanted.order_by(Notification.id.desc()).limit(most))]


def _state(row: Row[Any]) -> DestinationState:
    is_failing = bool(row.tried) or (row.last_failed or 0) > (row.last_sent or 0)
    return DestinationState(row.destination, row.sent, row.waiting, is_failing)
