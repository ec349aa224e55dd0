"""Sending: each destination has a thread while something is due to it, so that one that hangs delays no other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector.runs.lease import refuse_while_restoring
from queries.notifications import NOTHING_LEFT
from watches.definitions import WatchDefinition
from watches.destinations import Destinations
from watches.findings import Finding
from watches.messages import WatchMessage
from watches.outbox import (
    CLAIMED_FOR,
    ClaimedMessage,
    claim,
    due_destinations,
    has_old,
    record_failure,
    record_sent,
    remove_old,
)
from watches.tries import within

log = logging.getLogger(__name__)

ROUND_S, RECORD_AGAIN_S = 5.0, 0.5
TRY_S = 30.0
"""How long a try may take; a destination that answers ever so slowly would never end it."""
NOT_WRITTEN = "the message could not be written; the log says why"

Clock = Callable[[], datetime]


class Render(Protocol):
    """Puts a finding into words, or returns None if nothing is left to tell."""

    def __call__(
        self, session: Session, name: str, definition: WatchDefinition, finding: Finding, *, held_back: int, now: datetime
    ) -> WatchMessage | None: ...


def our_clock() -> datetime:
    """Return this machine's time, UTC."""
    return datetime.now(UTC)


class Sender:
    """Sends what is due. Several may work on one database, in as many processes."""

    def __init__(
        self,
        database: Database,
        destinations: Destinations,
        render: Render,
        *,
        clock: Clock = our_clock,
        round_s: float = ROUND_S,
        try_s: float = TRY_S,
    ) -> None:
        self._database, self._destinations, self._render = database, destinations, render
        self._clock, self._round_s, self._try_s = clock, round_s, try_s
        self._threads: dict[str, threading.Thread] = {}
        self._ending = threading.Event()

    def has_work(self, session: Session) -> bool:
        """Whether something is due to be sent or removed."""
        now = self._clock()
        return bool(due_destinations(session, now)) or has_old(session, now)

    def send_due(self, stop: threading.Event) -> None:
        """Send what is due, and wait some seconds for it; what takes longer is done while others are sent."""
        with self._database.reading() as session:
            names, is_old = due_destinations(session, self._clock()), has_old(session, self._clock())
        if is_old:
            self._database.write(lambda session: remove_old(session, self._clock()))
        self._threads = {name: thread for name, thread in self._threads.items() if thread.is_alive()}
        free = [name for name in names if name not in self._threads]
        for name in free:
            self._threads[name] = threading.Thread(target=self._send_all, args=(name, stop), name=f"notify {name}", daemon=True)
            self._threads[name].start()
        self.wait(self._round_s, names=free)

    def finish(self, seconds: float) -> None:
        """Begin no further try, and wait until those under way are recorded."""
        self._ending.set()
        self.wait(seconds)

    def wait(self, seconds: float, *, names: list[str] | None = None) -> None:
        """Wait until what is being sent to these destinations, or to all, is done."""
        deadline = time.monotonic() + seconds
        for name in [*self._threads] if names is None else names:
            self._threads[name].join(max(0.0, deadline - time.monotonic()))

    def _send_all(self, destination: str, stop: threading.Event) -> None:
        """Send what is due to a destination until it fails."""
        try:
            while not (stop.is_set() or self._ending.is_set()) and (claimed := self._claim(destination)):
                try:
                    failure = self._send(claimed)
                except DatabaseUnavailable:
                    raise
                except Exception:
                    log.exception("message not written", extra={"watch": claimed.watch})
                    failure = NOT_WRITTEN
                self._record(claimed, failure)
                if failure not in (None, NOTHING_LEFT):
                    return
        except DatabaseUnavailable as error:
            log.warning("sending interrupted", extra={"destination": destination, "reason": str(error)})
        except Exception:
            log.exception("sending failed", extra={"destination": destination})

    def _claim(self, destination: str) -> ClaimedMessage | None:
        def change(session: Session) -> ClaimedMessage | None:
            refuse_while_restoring(session)
            return claim(session, destination, self._clock())

        return self._database.write(change)

    def _send(self, claimed: ClaimedMessage) -> str | None:
        """Write a message and send it, and return why that failed, or None."""
        told = (claimed.watch, claimed.definition, claimed.finding)
        with self._database.reading() as session:
            message = self._render(session, *told, held_back=claimed.held_back, now=self._clock())
        if message is None:
            return NOTHING_LEFT
        send = partial(self._destinations.send, claimed.destination, message, claimed.id)
        return within(self._try_s, send, name=f"try {claimed.destination}")

    def _record(self, claimed: ClaimedMessage, failure: str | None) -> None:
        """Record what came of a try, as soon as the database lets it, for as long as nobody else tries it."""
        deadline = time.monotonic() + CLAIMED_FOR.total_seconds()
        while True:
            try:
                gave_up = self._database.write(partial(self._write_outcome, claimed, failure))
                break
            except DatabaseUnavailable as error:
                if time.monotonic() > deadline:
                    raise
                log.warning("outcome not recorded yet", extra={"destination": claimed.destination, "reason": str(error)})
                time.sleep(RECORD_AGAIN_S)
        facts = {"destination": claimed.destination, "watch": claimed.watch, "notification": claimed.id, "tries": claimed.tries}
        if failure is None:
            log.info("notification sent", extra=facts)
        else:
            log.warning("notification given up" if gave_up else "notification not sent", extra=facts | {"reason": failure})

    def _write_outcome(self, claimed: ClaimedMessage, failure: str | None, session: Session) -> bool:
        refuse_while_restoring(session)
        if failure is None:
            record_sent(session, claimed, self._clock())
            return False
        return record_failure(session, claimed, failure, self._clock(), is_final=failure == NOTHING_LEFT)
