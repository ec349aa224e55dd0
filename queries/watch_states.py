"""How watches fare: what was sent of each to its destinations, what waits, and what fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Row, case, func, select
from sqlalchemy.orm import Session

from models import Message, Notification


class WatchDelivery(NamedTuple):
    """What a watch told a destination: when last (UTC), how many messages wait, and whether the last tries failed."""

    destination: str
    sent: datetime | None
    waiting: int
    is_failing: bool


def watch_deliveries(session: Session) -> Mapping[int, Sequence[WatchDelivery]]:
    """Return for each watch, by id, how its destinations fare, by name; none before its first message."""
    is_waiting, own = Notification.state == "waiting", (Message.watch_id, Notification.destination)
    last = {state: func.max(case((Notification.state == state, Notification.id))) for state in ("sent", "failed")}
    counts = select(
        *own,
        func.max(Notification.sent_at).label("sent"),
        func.sum(case((is_waiting, 1), else_=0)).label("waiting"),
        func.sum(case((is_waiting & Notification.error.is_not(None), 1), else_=0)).label("tried"),
        *(number.label(f"last_{state}") for state, number in last.items()),
    ).join(Message, Message.id == Notification.message_id)
    rows = session.execute(counts.group_by(*own).order_by(*own)).all()
    return {number: [_delivery(one) for one in of_watch] for number, of_watch in groupby(rows, attrgetter("watch_id"))}


def _delivery(row: Row[Any]) -> WatchDelivery:
    is_failing = bool(row.tried) or (row.last_failed or 0) > (row.last_sent or 0)
    return WatchDelivery(row.destination, row.sent, row.waiting, is_failing)
