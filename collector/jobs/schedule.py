"""The schedule of collections: at intervals, without overlap, whichever process keeps it.

The service follows the interval that is chosen in the database; without a choice it is COLLECT_EVERY.

When the next collection is due follows from the newest one on record, so a restart neither forgets nor repeats one, and several
processes that keep the same schedule take turns.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from alchemy import DatabaseUnavailable
from collector import counters
from collector.jobs.interval import chosen_interval
from collector.runs import runs
from collector.runs.collector import CollectionRunning, Collector, NotDue, NothingTracked, RunningCollection
from collector.sources import SourceRefused
from collector.x.failures import BLOCKING
from queries.counters import KEEPERS, SERVICE, current_refusals, is_schedule_kept
from queries.schedule import schedule_choice

log = logging.getLogger(__name__)

MOST_JITTER = timedelta(minutes=1)
SHORTEST_WAIT_S = 1.0
CHECKED_EVERY_S = 30.0


class CollectionSchedule:
    """Collects at an interval, None for never; `immediately` says whether a database without a collection gets one now.

    `keeper` is SERVICE or COMMAND: operators see one schedule of each. That of the service may be changed in the database.
    """

    def __init__(
        self, collector: Collector, every: timedelta | None, *, keeper: str = SERVICE, immediately: bool = False
    ) -> None:
        self._collector, self._setting, self._keeper, self._immediately = collector, every, keeper, immediately
        self._every, self._is_noted = every, False
        self._began = datetime.now(UTC)
        self._jitter, self._not_before = self._draw_jitter(), 0.0
        self._future: datetime | None = None  # when a start in the future was first seen
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Keep the schedule in a thread of its own."""
        self._thread = threading.Thread(target=self.keep, name="schedule", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Start no further collection; the one that runs ends at its next page."""
        self._stop.set()
        self._collector.stop()

    def close(self, *, seconds: float = 5) -> None:
        """Stop, and wait for the thread."""
        self.stop()
        if self._thread:
            self._thread.join(seconds)

    def keep(self, collected: Callable[[RunningCollection], None] | None = None) -> None:
        """Collect until `stop`; `collected` is called with each collection that has started, and may wait for its end.

        It checks twice a minute, because the interval may be changed, other processes may collect, and this machine's clock
        may jump.
        """
        while not self._stop.wait(min(self._note_and_wait(), CHECKED_EVERY_S)):
            if self._wait() <= 0 and self._every:
                self._attempt(self._every, collected)
        self._note_end()

    def _attempt(self, every: timedelta, collected: Callable[[RunningCollection], None] | None) -> None:
        """Collect if it is due. Unexpected errors are logged, and the schedule continues."""
        began, soon = time.monotonic(), False
        try:
            soon = self._collect(every, collected)
        except Exception:
            log.exception("scheduled collection failed")
        self._jitter = self._draw_jitter()
        self._not_before = max(time.monotonic() + SHORTEST_WAIT_S, 0.0 if soon else began + every.total_seconds())

    def _collect(self, every: timedelta, collected: Callable[[RunningCollection], None] | None) -> bool:
        """Collect if it is due, and return whether that may be tried again soon."""
        try:
            if reason := self._refusal():
                log.warning("scheduled collection left out", extra={"reason": reason})
                return False
            started = self._collector.start(due_since=datetime.now(UTC) - every + timedelta(seconds=1))
            if self._stop.is_set():
                self._collector.stop()
            (collected or _log_end)(started)
        except (NotDue, CollectionRunning):
            return True
        except (DatabaseUnavailable, NothingTracked, SourceRefused) as error:
            log.warning("scheduled collection not started", extra={"reason": str(error)})
            return isinstance(error, DatabaseUnavailable)
        return True

    def _refusal(self) -> str | None:
        """Why X would refuse everything now, if it said until when."""
        with self._collector.database.reading() as session:
            refusals = current_refusals(session).items()
        now = self._collector.clock.now()
        until, kind = max(((until, kind) for kind, until in refusals if until and until > now), default=(None, ""))
        if until is None:
            return None
        return f"billing blocked until {until:%Y-%m-%d}" if kind in BLOCKING else f"{kind} until {until:%Y-%m-%d %H:%M UTC}"

    def _note_and_wait(self) -> float:
        wait = self._wait()
        if self._every:
            self._note(self._every.total_seconds(), time.time() + wait)
        else:
            self._note_end()
        return wait

    def _follow(self, session: Session) -> datetime:
        """Take over the interval in effect, and return when it began to count (UTC) in a database without a collection."""
        choice = schedule_choice(session) if self._keeper == SERVICE else None
        every = chosen_interval(session, self._setting) if choice else self._setting
        if every != self._every:
            self._every, self._not_before = every, 0.0
            self._jitter = self._draw_jitter()
        return choice.at if choice else self._began

    def _wait(self) -> float:
        """The seconds until the next collection is due, or until the interval is read again if there is none.

        A collection that seems to have started in the future, because this machine's clock was set back, counts as started now.
        """
        now = datetime.now(UTC)
        try:
            with self._collector.database.reading() as session:
                began, last = self._follow(session), runs.newest_start(session)
        except DatabaseUnavailable:
            began = last = now
        every = self._every
        if every is None:
            return CHECKED_EVERY_S
        first = began if self._immediately else began + every
        due = first if last is None else self._effective_start(last, now) + every
        wait = (due - now).total_seconds() + (self._jitter if last else 0.0)
        return max(0.0, wait, self._not_before - time.monotonic())

    def _effective_start(self, last: datetime, now: datetime) -> datetime:
        if last <= now:
            self._future = None
            return last
        self._future = self._future or now
        return min(self._future, now)

    def _draw_jitter(self) -> float:
        return random.uniform(0, min(self._every / 10, MOST_JITTER).total_seconds()) if self._every else 0.0

    def _note_end(self) -> None:
        """Store that no schedule is kept, if one was."""
        if self._is_noted:
            self._note(0.0, 0.0)

    def _note(self, every: float, due: float) -> None:
        try:
            self._collector.database.write(lambda session: counters.note_schedule(session, self._keeper, every=every, due=due))
            self._is_noted = every > 0
        except DatabaseUnavailable as error:
            log.warning("schedule not noted", extra={"reason": str(error)})


def forget_schedules(session: Session) -> None:
    """Reset the schedule that an earlier start of the service recorded, and that of a command that is gone."""
    for keeper in KEEPERS:
        if keeper == SERVICE or not is_schedule_kept(session, keeper):
            counters.note_schedule(session, keeper, every=0, due=0)


def _log_end(started: RunningCollection) -> None:
    started.over.result()
