"""The outbox: messages that are to be sent, recorded in the transaction that moves their watch on.

Whoever sends one claims it first, for a time in which nobody else does, whatever becomes of the process; then it records what
came of it. The messages of a watch to a destination are sent in order: a later one waits until the earlier is sent or failed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Row, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from collector.counters import count_notification
from models import Message, Notification, Watch
from queries.watches import StoredWatch
from watches.definitions import WatchDefinition, read_definition
from watches.findings import Finding

CLAIMED_FOR = timedelta(seconds=60)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=4)
JITTER = 0.1
GIVEN_UP_AFTER, REMOVED_AFTER = timedelta(hours=24), timedelta(days=90)
FARTHEST = LONGEST_WAIT * (1 + JITTER)
"""The latest next try; a later one was written while this machine's clock was ahead."""


class ClaimedMessage(NamedTuple):
    """A message to one destination, claimed for a try: the id of its notification, which try it is, and what it tells."""

    id: int
    destination: str
    tries: int
    watch: str
    definition: WatchDefinition
    finding: Finding
    held_back: int
    found: datetime


def record(session: Session, watch: StoredWatch, findings: Sequence[Finding], *, held_back: int, now: datetime) -> None:
    """Record findings, oldest first, as messages to each destination; the first says how many were held back before."""
    for number, finding in enumerate(findings):
        values = {"watch_id": watch.id, "watch": watch.name, "definition": watch.definition, "found": now}
        values |= {"kind": finding.kind, "start": finding.start, "end": finding.end}
        values |= {"tweets": orjson.dumps(finding.tweets).decode(), "held_back": 0 if number else held_back}
        message_id = session.scalars(insert(Message).values(**values).returning(Message.id)).one()
        for name in read_definition(watch.definition).to:
            waiting = {"message_id": message_id, "destination": name, "state": "waiting", "tries": 0, "next_try": now}
            session.execute(insert(Notification).values(**waiting))


def due_destinations(session: Session, now: datetime) -> list[str]:
    """Return the destinations to which something is due, those that have waited longest first."""
    return list(dict.fromkeys(row.destination for row in _due(session, now)))


def claim(session: Session, destination: str, now: datetime) -> ClaimedMessage | None:
    """Claim the next message that is due to a destination and count the try, or return None."""
    for row in _due(session, now, Notification.destination == destination):
        own = update(Notification).where(Notification.id == row.id, Notification.state == "waiting")
        taken = own.where(Notification.tries == row.tries)
        taken = taken.values(tries=row.tries + 1, next_try=now + CLAIMED_FOR, is_claimed=True)
        if session.scalar(taken.returning(Notification.id)) is not None:
            finding = Finding(row.kind, row.start, row.end, tuple(orjson.loads(row.tweets)))
            definition = read_definition(row.definition)
            told = (row.watch, definition, finding, row.held_back, row.found)
            return ClaimedMessage(row.id, destination, row.tries + 1, *told)
    return None


def record_sent(session: Session, claimed: ClaimedMessage, now: datetime) -> None:
    """Record that a destination has acknowledged a message. Others that wait because it failed before are due now."""
    unsent = (Notification.id == claimed.id, Notification.state != "sent")
    done = update(Notification).where(*unsent).values(state="sent", sent_at=now, error=None)
    if session.scalar(done.returning(Notification.id)) is None:
        return
    count_notification(session, claimed.destination, "sent")
    failed_before = (Notification.state == "waiting", Notification.error.is_not(None), ~Notification.is_claimed)
    others = update(Notification).where(Notification.destination == claimed.destination, *failed_before)
    session.execute(others.values(next_try=now))


def record_failure(session: Session, claimed: ClaimedMessage, reason: str, now: datetime, *, is_final: bool = False) -> bool:
    """Record why a try failed, and return whether it was the last one: a day after the message was found, or if `is_final`.

    A failure that is final at once is not the destination's, and not counted. Nor is that of a message that failed meanwhile,
    because its watch was paused or deleted.
    """
    last = claimed.found + GIVEN_UP_AFTER
    gives_up = is_final or now >= last
    own = (Notification.id == claimed.id, Notification.tries == claimed.tries)
    session.execute(update(Notification).where(*own).values(is_claimed=False))
    values = {
        "error": reason,
        "next_try": min(now + _wait(claimed.tries), max(now, last)),
        "state": "failed" if gives_up else "waiting",
    }
    failed = update(Notification).where(*own, Notification.state == "waiting").values(**values)
    is_recorded = session.scalar(failed.returning(Notification.id)) is not None
    if gives_up or not is_recorded:
        watch = select(Message.watch_id).join(Notification, Notification.message_id == Message.id).where(*own)
        for watch_id in session.scalars(watch).all():
            return_held_back(session, watch_id)
    if not is_recorded:
        return False
    for outcome in () if is_final else ("failed", "given_up")[: 1 + gives_up]:
        count_notification(session, claimed.destination, outcome)
    return gives_up


def return_held_back(session: Session, watch_id: int) -> None:
    """Give a watch back the numbers of messages held back that nobody was told, because what would have told them failed.

    A message with a try under way may still be told.
    """
    may_be_told = or_(Notification.state != "failed", Notification.is_claimed)
    told = exists().where(Notification.message_id == Message.id, may_be_told)
    untold = (Message.watch_id == watch_id, Message.held_back > 0, ~told)
    if number := session.scalar(select(func.sum(Message.held_back)).where(*untold)):
        session.execute(update(Watch).where(Watch.id == watch_id).values(held_back=Watch.held_back + number))
        session.execute(update(Message).where(*untold).values(held_back=0))


def has_old(session: Session, now: datetime) -> bool:
    """Whether there are messages to be removed."""
    oldest = session.scalar(select(Message.found).order_by(Message.id).limit(1))
    return oldest is not None and oldest < now - REMOVED_AFTER


def remove_old(session: Session, now: datetime) -> None:
    """Remove messages that were found more than ninety days ago."""
    old = select(Message.id).where(Message.found < now - REMOVED_AFTER)
    session.execute(delete(Notification).where(Notification.message_id.in_(old)))
    session.execute(delete(Message).where(Message.id.in_(old)))


def _due(session: Session, now: datetime, *conditions: Any) -> Iterator[Row[Any]]:
    """Yield the first waiting message of each watch to each destination, if it is due and its watch not in quiet hours."""
    waiting = select(func.min(Notification.id)).join(Message, Message.id == Notification.message_id)
    first = waiting.where(Notification.state == "waiting").group_by(Message.watch_id, Notification.destination)
    columns = select(Notification.id, Notification.destination, Notification.tries, *_TOLD, Watch.definition.label("newest"))
    joined = columns.join(Message, Message.id == Notification.message_id).outerjoin(Watch, Watch.id == Message.watch_id)
    is_due = or_(Notification.next_try <= now, Notification.next_try > now + FARTHEST)
    found = session.execute(joined.where(Notification.id.in_(first), is_due, *conditions).order_by(Notification.id))
    yield from (row for row in found.all() if not _is_quiet(row.newest or row.definition, now))


def _is_quiet(definition: str, now: datetime) -> bool:
    """Whether a watch is in its quiet hours."""
    read = read_definition(definition)
    return read.quiet_hours is not None and read.quiet_hours.contains(now.astimezone(read.zone).time())


def _wait(tries: int) -> timedelta:
    """Return the time until the next try, about twice as long each time."""
    wait: timedelta = min(FIRST_WAIT * 2 ** min(tries - 1, 20), LONGEST_WAIT)
    return wait * random.uniform(1 - JITTER, 1 + JITTER)


_TOLD = tuple(
    getattr(Message, name) for name in ("watch", "definition", "kind", "start", "end", "tweets", "held_back", "found")
)
