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
from queries.notifications import NOT_SENT


class WatchDelivery(NamedTuple):
    """What a watch told a destination: when last (UTC), how many messages wait, and whether the last tries failed.

    `dropped` is why the newest message was not sent, if the destination is not to blame.
    """

    destination: str
    sent: datetime | None
    waiting: int
    is_failing: bool
    dropped: str | None


def watch_deliveries(session: Session) -> Mapping[int, Sequence[WatchDelivery]]:
    """Return for each watch, by id, how its destinations fare, by name; none before its first message."""
    is_waiting, own = Notification.state == "waiting", (Message.watch_id, Notification.destination)
    is_dropped = (Notification.state == "failed") & Notification.error.in_(NOT_SENT)
    has_failed = (Notification.state == "failed") & Notification.error.not_in(NOT_SENT)
    last = {"sent": Notification.state == "sent", "failed": has_failed, "dropped": is_dropped}
    counts = select(
        *own,
        func.max(Notification.sent_at).label("sent"),
        func.sum(case((is_waiting, 1), else_=0)).label("waiting"),
        func.sum(case((is_waiting & Notification.error.is_not(None), 1), else_=0)).label("tried"),
        *(func.max(case((one, Notification.id), else_=0)).label(f"last_{name}") for name, one in last.items()),
    ).join(Message, Message.id == Notification.message_id)
    rows = session.execute(counts.group_by(*own).order_by(*own)).all()
    dropped = select(Notification.id, Notification.error).where(Notification.id.in_([one.last_dropped for one in rows]))
    reasons = {row.id: row.error for row in session.execute(dropped)}
    found = groupby(rows, attrgetter("watch_id"))
    return {number: [_delivery(one, reasons.get(one.last_dropped)) for one in of_watch] for number, of_watch in found}


def _delivery(row: Row[Any], dropped: str | None) -> WatchDelivery:
    is_failing = bool(row.tried) or row.last_failed > row.last_sent
    is_newest = row.last_dropped > max(row.last_sent, row.last_failed)
    return WatchDelivery(row.destination, row.sent, row.waiting, is_failing, dropped if is_newest else None)
