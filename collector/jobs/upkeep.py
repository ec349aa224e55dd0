"""Upkeep: what is done so often beside collections, such as counting, compliance and copies, whichever process does it.

When a chore is due follows from its row, so a restart neither forgets nor repeats one; a lease of its own lets one process at a
time do it. One that failed is tried again after an hour.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector.backups.backups import BackupRefused
from collector.ledger.calls import CallsLeaseTaken
from collector.ledger.ledger import BudgetSpent
from collector.runs import lease
from collector.sources import SourceRefused
from collector.x.failures import XFailure
from collector.x.tries import Stopped
from database.statements import upsert
from models import JobState
from queries.chores import BROKEN_OFF

log = logging.getLogger(__name__)

LOOKED_EVERY_S = 5.0
TRIED_AGAIN = timedelta(hours=1)


class NotDone(Exception):
    """A chore is not done yet; the text says why."""


class ScheduledJob(NamedTuple):
    """A chore by name: how often it is done, whether there is anything to do, and its work, which ends soon after `stop`.

    `seldom` says that as a rule there is nothing to do.
    """

    name: str
    every: timedelta
    wanted: Callable[[Session], bool]
    work: Callable[[threading.Event], object]
    seldom: bool = False


class JobRunner:
    """Keeps the chores of a database done, in a thread of its own, one after the other.

    `intervals` says how often each of them is planned.
    """

    def __init__(
        self, database: Database, tasks: Sequence[ScheduledJob], intervals: Mapping[str, timedelta] | None = None
    ) -> None:
        self._database, self._tasks = database, tasks
        self._intervals = intervals or {task.name: task.every for task in tasks}
        self._stop, self._break_off = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def planned_intervals(self, session: Session) -> dict[str, timedelta]:
        """Return how often each chore is planned, but for those that seldom have anything to do and have nothing now."""
        return {task.name: self._intervals[task.name] for task in self._tasks if not task.seldom or task.wanted(session)}

    def start(self) -> None:
        """Do what is due now and from now on."""
        if self._tasks:
            self._thread = threading.Thread(target=self._keep, name="upkeep", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Begin no further chore; the one that is being done ends soon."""
        self._stop.set()
        self._break_off.set()

    def close(self, *, seconds: float = 5) -> None:
        """Stop, and wait for the thread."""
        self.stop()
        if self._thread:
            self._thread.join(seconds)

    def run_due(self) -> None:
        """Do what is due, once."""
        for task in self._tasks:
            if self._stop.is_set():
                return
            try:
                self._attempt(task)
            except DatabaseUnavailable as error:
                log.warning("chore not done", extra={"chore": task.name, "reason": str(error)})

    def _keep(self) -> None:
        while True:
            try:
                self.run_due()
            except Exception:
                log.exception("upkeep failed")
            if self._stop.wait(LOOKED_EVERY_S):
                return

    def _attempt(self, task: ScheduledJob) -> None:
        token = self._claim(task)
        if token is None:
            return
        name = _lease(task)
        error: str | None = BROKEN_OFF
        try:
            with lease.renewing(self._database, token, self._break_off.set, name=name):
                error = _done(task, self._break_off)
        finally:

            def end(session: Session) -> None:
                _record(session, task, error)
                lease.give_back(session, token, name=name)

            self._database.write(end, timeout_s=lease.LASTS_S)

    def _claim(self, task: ScheduledJob) -> int | None:
        """Take the chore on if it is due and nobody else does it."""
        with self._database.reading() as session:
            if not _due(session, task):
                return None
        return self._database.write(partial(_take, task))


def _take(task: ScheduledJob, session: Session) -> int | None:
    lease.refuse_while_restoring(session)
    if not _due(session, task):
        return None
    token = lease.take(session, f"{socket.gethostname()}:{os.getpid()}", name=_lease(task))
    if token is not None:
        row = {"name": task.name, "began": datetime.now(UTC), "succeeded": None, "error": BROKEN_OFF}
        upsert(session, JobState, [row], update=("began", "error"))
    return token


def _due(session: Session, task: ScheduledJob) -> bool:
    """Tell whether a chore is due; one that seems to have begun in the future, for the clock was set back, is."""
    row = session.execute(select(JobState.began, JobState.error).where(JobState.name == task.name)).first()
    if row:
        every = min(task.every, TRIED_AGAIN) if row.error else task.every
        if timedelta() <= datetime.now(UTC) - row.began < every:
            return False
    return task.wanted(session)


def _done(task: ScheduledJob, stop: threading.Event) -> str | None:
    """Do a chore and return why it was not done, or None."""
    try:
        task.work(stop)
    except (XFailure, BudgetSpent, CallsLeaseTaken, SourceRefused, DatabaseUnavailable, BackupRefused, NotDone) as error:
        log.warning("chore not done", extra={"chore": task.name, "reason": str(error)})
        return str(error)
    except Stopped:
        return BROKEN_OFF
    except Exception as error:
        log.exception("chore failed", extra={"chore": task.name})
        return f"it failed unexpectedly: {type(error).__name__}; the log says more"
    return None


def _record(session: Session, task: ScheduledJob, error: str | None) -> None:
    ended = {"error": error} | ({} if error else {"succeeded": datetime.now(UTC)})
    session.execute(update(JobState).where(JobState.name == task.name).values(**ended))


def _lease(task: ScheduledJob) -> str:
    return f"chore {task.name}"
