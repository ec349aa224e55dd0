"""Trials: an example of a watch's messages, sent to each of its destinations at once, outside of the outbox."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from alchemy import Database
from models import Message
from queries.watches import stored_watch
from watches.definitions import WatchDefinition, read_definition
from watches.destinations import Destinations
from watches.findings import Finding
from watches.messages import WatchMessage, sample
from watches.previews import newest_finding
from watches.sending import Render
from watches.tries import within

LONGEST_S = 10.0
TITLE = "Test: "
NO_ID = 0
"""The id of messages that are no notifications."""


class TrialRunning(Exception):
    """Another trial is under way in this process."""


class FailedTrial(NamedTuple):
    """A destination that did not accept an example, and why."""

    to: str
    error: str


class TrialOutcome(NamedTuple):
    """Which destinations accepted an example, and which did not."""

    sent: list[str]
    failed: list[FailedTrial]


class WatchTrials:
    """Tries watches, one at a time."""

    def __init__(self, database: Database, destinations: Destinations, render: Render, *, site: str) -> None:
        self._database, self._destinations = database, destinations
        self._render, self._site = render, site
        self._lock = threading.Lock()

    def try_watch(self, name: str, *, seconds: float = LONGEST_S) -> TrialOutcome | None:
        """Send an example of a watch to each of its destinations, within some seconds. None if there is no such watch.

        The example is what the watch told last, or would have told, else a sentence. Raises TrialRunning.
        """
        if not self._lock.acquire(blocking=False):
            raise TrialRunning("a test is running: wait some seconds")
        try:
            with self._database.reading() as session:
                watch = stored_watch(session, name)
                if watch is None:
                    return None
                definition = read_definition(watch.definition)
                message = self._example(session, watch.id, name, definition)
            return self._send(message._replace(title=f"{TITLE}{message.title}"), definition.to, seconds)
        finally:
            self._lock.release()

    def _example(self, session: Session, watch_id: int, name: str, definition: WatchDefinition) -> WatchMessage:
        now = datetime.now(UTC)
        finding = _last_told(session, watch_id) or newest_finding(session, name, definition, now=now)
        message = finding and self._render(session, name, definition, finding, held_back=0, now=now)
        return message or sample(name, definition, site=self._site)

    def _send(self, message: WatchMessage, names: Sequence[str], seconds: float) -> TrialOutcome:
        def send(name: str) -> str | None:
            return within(seconds, partial(self._destinations.send, name, message, NO_ID), name=f"test {name}")

        with ThreadPoolExecutor(len(names)) as pool:
            outcome = dict(zip(names, pool.map(send, names), strict=True))
        sent = [name for name in names if outcome[name] is None]
        return TrialOutcome(sent, [FailedTrial(name, error) for name in names if (error := outcome[name])])


def _last_told(session: Session, watch_id: int) -> Finding | None:
    columns = select(Message.kind, Message.start, Message.end, Message.tweets).where(Message.watch_id == watch_id)
    row = session.execute(columns.order_by(Message.id.desc()).limit(1)).first()
    return Finding(row.kind, row.start, row.end, tuple(orjson.loads(row.tweets))) if row else None
