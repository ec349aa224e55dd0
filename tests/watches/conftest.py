"""What tests of watches share: a database, a receiver of messages, a clock that is moved, and an outbox with messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from alchemy import Database, open_database
from models import Notification
from queries.watches import stored_watch
from settings import Destination
from tests.fixtures import databases
from tests.fixtures.receiver import Receiver, receiving
from tests.fixtures.waiting import LONGEST_WAIT_S
from watches.definitions import WatchDefinition
from watches.destinations import Destinations
from watches.findings import Finding
from watches.keeping import save_watch
from watches.messages import WatchMessage
from watches.outbox import record
from watches.sending import Sender

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def database(tmp_path: Path, database_backend: str) -> Iterator[Database]:
    """A migrated database without rows."""
    with closing(open_database(databases.url_of(tmp_path))) as ready:
        yield ready


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)


def plain_message(_session: Session, name: str, _definition: WatchDefinition, finding: Finding, **_more: Any) -> WatchMessage:
    """Return a message as plain as can be, with the number of the finding as its text."""
    text = f"{name} {finding.tweets[0]}"
    return words(text, text)


def words(title: str, text: str) -> WatchMessage:
    """Return a message with this title and text."""
    return WatchMessage(title, text, f"<p>{text}</p>", text)


class Outbox:
    """A database with watches, whose messages a sender sends to a receiver."""

    def __init__(self, database: Database, receiver: Receiver, **urls: str) -> None:
        self.database, self.receiver, self.clock = database, receiver, Clock()
        self.urls = {"team": receiver.url(), "me": receiver.url("me")} | urls

    def sender(self, render: Any = plain_message, *, round_s: float = LONGEST_WAIT_S, **more: Any) -> Sender:
        """Return a sender as a new process would have it."""
        destinations = Destinations(Destination(*one) for one in self.urls.items())
        return Sender(self.database, destinations, render, clock=self.clock, round_s=round_s, **more)

    def watch(self, name: str = "outages", *to: str, **more: Any) -> None:
        definition = WatchDefinition("new", "", to or ("team",), max_tweets=10, **more)
        save_watch(self.database, name, definition)

    def find(self, *numbers: int, watch: str = "outages", held_back: int = 0) -> None:
        """Record findings of a watch."""

        def change(session: Session) -> None:
            stored = stored_watch(session, watch)
            assert stored
            findings = [Finding("new", NOON - HOUR, NOON, (number,)) for number in numbers]
            record(session, stored, findings, held_back=held_back, now=self.clock())

        self.database.write(change)

    def send(self, **more: Any) -> None:
        """Send what is due, and wait for it."""
        self.sender(**more).send_due(threading.Event())

    def texts(self, path: str = "") -> list[str]:
        """Return what was sent to a path, in order."""
        return [one.body["message"] for one in self.receiver.seen if one.path == f"/{path}"]

    def held_back(self, watch: str = "outages") -> int:
        """Return how many messages of a watch were held back that nobody was told."""
        with self.database.reading() as session:
            stored = stored_watch(session, watch)
        assert stored
        return stored.held_back

    def rows(self) -> list[tuple[Any, ...]]:
        """Return destination, state, tries and error of all notifications, oldest first."""
        columns = select(Notification.destination, Notification.state, Notification.tries, Notification.error)
        with self.database.reading() as session:
            return [tuple(row) for row in session.execute(columns.order_by(Notification.id))]


@pytest.fixture
def outbox(database: Database, receiver: Receiver) -> Outbox:
    return Outbox(database, receiver)
