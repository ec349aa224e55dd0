"""Saves and deletes watches; their definitions were checked before (watches/definitions.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, insert, literal, select, update
from sqlalchemy.orm import Session

from alchemy import Database
from collector import counters
from collector.runs.lease import refuse_while_restoring
from models import Message, Notification, Run, ToldTweet, Tweet, Watch
from queries.counters import x_ahead
from queries.notifications import DELETED, PAUSED
from queries.watches import stored_watch, stored_watches
from watches.definitions import WatchDefinition, read_definition
from watches.outbox import return_held_back

MOST_WATCHES = 100
LONGEST = timedelta(days=8)
"""As old as a tweet that a collection stores may be: X's recent search reaches back seven days."""


class TooManyWatches(Exception):
    """There are as many watches as there may be."""


def save_watch(database: Database, name: str, definition: WatchDefinition) -> bool:
    """Save a watch, in place of one with its name, and return whether it is new; raises TooManyWatches, DatabaseUnavailable.

    One that watches something else than before, or was paused, begins anew: it tells nothing of the past. What waits to be sent
    for one that is paused is not sent.
    """

    def save(session: Session) -> bool:
        refuse_while_restoring(session)
        known = stored_watch(session, name)
        if known is None and len(stored_watches(session)) >= MOST_WATCHES:
            raise TooManyWatches(f"there are {MOST_WATCHES} watches, which is the most: delete one first")
        if known is None:
            new = insert(Watch).values(
                name=name, definition=definition.written(), held_back=0, **_beginning(session, definition)
            )
            _mark_told(session, session.scalars(new.returning(Watch.id)).one())
        else:
            before = read_definition(known.definition)
            anew = before.paused or not before.watches_as(definition)
            changed = update(Watch).where(Watch.id == known.id)
            session.execute(
                changed.values(definition=definition.written(), **(_beginning(session, definition) if anew else {}))
            )
            if anew:
                session.execute(delete(ToldTweet).where(ToldTweet.watch_id == known.id))
                _mark_told(session, known.id)
            if definition.paused:
                _end_waiting(session, known.id, PAUSED)
        counters.bump_sequence(session)
        return known is None

    return database.write(save)


def delete_watch(database: Database, name: str) -> bool:
    """Delete a watch, and return whether there was one; its messages that wait are not sent. Raises DatabaseUnavailable."""

    def remove(session: Session) -> bool:
        refuse_while_restoring(session)
        known = stored_watch(session, name)
        if known is None:
            return False
        _end_waiting(session, known.id, DELETED)
        session.execute(delete(ToldTweet).where(ToldTweet.watch_id == known.id))
        session.execute(delete(Watch).where(Watch.id == known.id))
        counters.bump_sequence(session)
        return True

    return database.write(remove)


def _end_waiting(session: Session, watch_id: int, reason: str) -> None:
    """Let what waits to be sent for a watch fail, so that it is not sent. A try that is under way keeps its claim."""
    own = select(Message.id).where(Message.watch_id == watch_id)
    waiting = update(Notification).where(Notification.state == "waiting", Notification.message_id.in_(own))
    is_tried = and_(Notification.is_claimed, Notification.next_try > datetime.now(UTC))
    session.execute(waiting.values(state="failed", error=reason, is_claimed=is_tried))
    return_held_back(session, watch_id)


def _beginning(session: Session, definition: WatchDefinition) -> dict[str, Any]:
    """Return how far a watch that begins now was checked: the tweets of a collection that runs may still become new to it."""
    now, running = datetime.now(UTC), _running(session)
    checked_to = definition.begin_of(int((now + x_ahead(session)).timestamp()))
    newest = session.scalar(select(func.max(Run.id))) or 0
    after = newest if running is None else running - 1
    return {"changed": now, "checked_to": checked_to, "after_run": after, "told_to": None, "silent_since": None}


def _mark_told(session: Session, watch_id: int) -> None:
    """Mark what a collection that runs has stored already as told to a watch that begins now."""
    running = _running(session)
    if running is not None:
        stored = select(literal(watch_id), Tweet.id).where(
            Tweet.run_id >= running, Tweet.created >= datetime.now(UTC) - LONGEST
        )
        session.execute(insert(ToldTweet).from_select(["watch_id", "tweet_id"], stored))


def _running(session: Session) -> int | None:
    return session.scalar(select(func.min(Run.id)).where(Run.kind == "collection", Run.state == "running"))
