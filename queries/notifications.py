"""Notifications: which message went to which destination, or waits, or failed; and which destinations fail."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from models import Message, Notification, StoredCounter
from queries.counters import NOTIFICATIONS

OUTCOMES = ("sent", "failed", "given_up")
DELETED, PAUSED = "the watch was deleted", "the watch was paused"
NOTHING_LEFT = "nothing is left to tell: what it was about is deleted"
NOT_SENT = (DELETED, PAUSED, NOTHING_LEFT)
"""The errors of messages that were not sent though their destinations may be well."""


class NotificationView(NamedTuple):
    """A message of a watch to a destination. `start` is that of the time it is about; times are UTC."""

    id: int
    watch: str
    to: str
    start: datetime
    state: str
    tries: int
    error: str | None
    sent_at: datetime | None

    @property
    def is_dropped(self) -> bool:
        """Whether it was not sent, and its destination is not to blame."""
        return self.error in NOT_SENT


class DestinationState(NamedTuple):
    """A destination: how many messages wait for it, since when the oldest does, and since when and why it fails, or None."""

    name: str
    waiting: int = 0
    waiting_since: datetime | None = None
    failing_since: datetime | None = None
    error: str | None = None


def notifications(
    session: Session, *, before: int | None = None, most: int, watch: str | None = None
) -> list[NotificationView]:
    """Return at most so many notifications with ids below `before`, newest first, of all watches or of those with a name."""
    columns = [Notification.id, Message.watch, Notification.destination, Message.start]
    columns += [getattr(Notification, name) for name in ("state", "tries", "error", "sent_at")]
    found = select(*columns).join(Message, Message.id == Notification.message_id).order_by(Notification.id.desc()).limit(most)
    if before is not None:
        found = found.where(Notification.id < before)
    if watch is not None:
        found = found.where(Message.watch == watch)
    return [NotificationView._make(row) for row in session.execute(found)]


def destination_states(session: Session, names: Iterable[str]) -> list[DestinationState]:
    """Return the state of these destinations and of all others for which something waits, by name.

    A destination fails while a message waits whose last try failed; since when that message was found.
    """
    failed = case((Notification.error.is_not(None), Message.found))
    columns = select(Notification.destination, func.count(), func.min(Message.found), func.min(failed), func.max(_NEWEST))
    waiting = columns.join(Message, Message.id == Notification.message_id).where(Notification.state == "waiting")
    rows = session.execute(waiting.group_by(Notification.destination)).all()
    found = {name: DestinationState(name) for name in names}
    for name, count, oldest, since, newest in rows:
        error = newest and session.scalar(select(Notification.error).where(Notification.id == newest))
        found[name] = DestinationState(name, count, oldest, since, error)
    return [found[name] for name in sorted(found)]


def notification_counts(session: Session, names: Iterable[str]) -> dict[tuple[str, str], int]:
    """Return how many tries were sent or failed, and how many messages were given up, by destination and outcome."""
    found = {(name, outcome): 0 for name in names for outcome in OUTCOMES}
    counted = select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == NOTIFICATIONS)
    for label, value in session.execute(counted):
        name, _, outcome = label.partition(" ")
        found[name, outcome] = value
    return found


_NEWEST = case((Notification.error.is_not(None), Notification.id))
