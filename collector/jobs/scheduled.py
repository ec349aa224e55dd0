"""Scheduled jobs (counting, reconciliation, refreshing, compliance, retention, sweep, backup), done at intervals by a runner.

The database says when a job is due, so a restart neither forgets nor repeats one, and each job has a lease, so one process at a
time does it. A job that failed is tried again after an hour.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector import sources
from collector.backups.backups import BackupRefused, make_scheduled_backup
from collector.backups.sweeping import has_work, sweep
from collector.compliance.jobs import ComplianceResult, WaitingJob, comply
from collector.counters import request_counter
from collector.jobs import counting
from collector.ledger import ledger, reconciling
from collector.ledger.calls import CallsLeaseTaken, call_buyer
from collector.ledger.ledger import BudgetSpent
from collector.refresh.lookups import RefreshRunning
from collector.refresh.ordered import do_ordered, has_order
from collector.refresh.sales import NotQuiet
from collector.refresh.same_day import EVERY as REFRESHED_EVERY
from collector.refresh.same_day import RefreshStopped, refresh_today
from collector.refresh.same_day import has_work as is_refresh_due
from collector.runs import lease
from collector.runs.collector import Collector
from collector.tweets.retention import expire
from collector.values import Failure
from collector.x.app_only import AppOnly
from collector.x.failures import Stopped, XFailure
from database.statements import upsert
from models import JobState
from queries.counters import is_x_time_known, x_now
from queries.service import BROKEN_OFF, INTERRUPTED_KIND, JOB_LEASE, NOT_OFFERED_KIND
from settings import Settings

log = logging.getLogger(__name__)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CHECK_EVERY_S = 5.0
FINISHING_S = 15.0
"""How long after the stop what a job has left under way may take to end."""
RETRY_AFTER = HOUR
COMPLIANCE_WAIT_S = 120.0
CHECKED = {"count": HOUR, "refresh": REFRESHED_EVERY, "refresh-order": REFRESHED_EVERY}
RARE = ("sweep", "refresh", "refresh-order")
INTERRUPTION = Failure(INTERRUPTED_KIND, BROKEN_OFF)

JobCondition = Callable[[Session], bool]
JobWork = Callable[[threading.Event], object]
EXPECTED = (
    *(XFailure, BudgetSpent, CallsLeaseTaken, sources.SourceRefused, DatabaseUnavailable, BackupRefused),
    *(RefreshRunning, RefreshStopped, NotQuiet),
)


class NotDone(Exception):
    """A job could not be finished yet; the text says why."""

    kind = "waiting"


class ScheduledJob(NamedTuple):
    """A job by name: how often it is done, if `has_work`, and its work, which ends soon after the event is set.

    `rare` jobs usually have nothing to do. `shown_interval` is what operators see where it differs from `every`. The jobs of a
    `thread` are done one after the other, and don't wait for those of another. A job that leaves something under way has
    `finish`, which waits for it at the stop, so many seconds at most.
    """

    name: str
    every: timedelta
    has_work: JobCondition
    work: JobWork
    rare: bool = False
    shown_interval: timedelta | None = None
    thread: str = "scheduled jobs"
    finish: Callable[[float], object] | None = None


class Plan(NamedTuple):
    """How often each job is done (None: never), how many scheduled backups are kept, and for how long tweets and payloads.

    `refreshes` says whether the tweets of each day are read again.
    """

    counting: timedelta | None = None
    reconcile: timedelta | None = None
    comply: timedelta | None = None
    backup: timedelta | None = None
    backups_kept: int = 3
    tweets: timedelta | None = None
    payloads: timedelta | None = None
    refreshes: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Plan:
        return cls(
            counting=settings.count_every,
            reconcile=settings.reconcile_every,
            comply=settings.comply_every,
            backup=settings.backup_every,
            backups_kept=settings.backups_kept,
            tweets=settings.tweet_retention,
            payloads=settings.payload_retention,
            refreshes=settings.refresh == "same-day",
        )


class ScheduledJobs:
    """The jobs of one collector's database. Each method ends soon after `stop` is set."""

    def __init__(self, collector: Collector, plan: Plan) -> None:
        self._collector, self._plan = collector, plan
        self._database, self._billing = collector.database, collector.order.billing

    def planned_jobs(self) -> list[ScheduledJob]:
        """The planned jobs, in their order.

        Counting is checked every hour, because each tag has its own last count. A day's refreshing is done in parts.
        """
        plan = self._plan
        retention = DAY if plan.tweets is not None or plan.payloads is not None else None
        jobs: list[tuple[str, timedelta | None, JobCondition, JobWork]] = [
            ("count", plan.counting, self._has_due_counts, self.count),
            ("reconcile", plan.reconcile, lambda session: not ledger.is_empty(session), self.reconcile),
            ("refresh", DAY if plan.refreshes else None, self._is_refresh_due, self.refresh),
            ("refresh-order", DAY, has_order, self.do_ordered),
            ("comply", plan.comply, _has_tweets, self._comply_briefly),
            ("retain", retention, _has_tweets, self.retain),
            ("sweep", DAY, lambda session: has_work(self._database, session), self.sweep),
            ("backup", plan.backup, _has_tweets, self.back_up),
        ]
        return [
            ScheduledJob(name, CHECKED.get(name, every), wanted, work, name in RARE, shown_interval=every)
            for name, every, wanted, work in jobs
            if every
        ]

    def count(self, stop: threading.Event) -> None:
        """Buy X's counts of the posts of each tag that was not counted lately."""
        retry_policy = self._collector.order.retry_policy
        with self._x() as x, call_buyer(self._database, x, self._billing, retry_policy, stop) as buyer:
            with self._database.reading() as session:
                due = self._due_counts(session)
            counting.count(buyer, due)

    def reconcile(self, _stop: threading.Event) -> None:
        """Compare the ledger with X's own count, and read the account's balance, which only X itself has."""
        with self._x() as x:
            reconciling.reconcile(self._database, x, self._billing)
            if self._collector.source.name == sources.REAL:
                reconciling.read_balance(self._database, x)

    def refresh(self, stop: threading.Event) -> None:
        """Read again what was bought today, as far as that is due."""
        refresh_today(self._collector, stop)

    def do_ordered(self, stop: threading.Event) -> None:
        """Read tweets again for money, as somebody ordered."""
        do_ordered(self._collector, stop)

    def comply(self, stop: threading.Event, waiting: WaitingJob | None = None) -> ComplianceResult:
        """Ask X which stored tweets must be deleted, and delete them; `waiting` limits how long X may take."""
        with self._x() as x:
            done = comply(self._database, x, stop=stop, retry_policy=self._collector.order.retry_policy, waiting=waiting)
        if not done.waiting:
            log.info("compliance done", extra={"ids": done.ids, "removed": done.removed, "scrubbed": done.scrubbed})
        return done

    def _comply_briefly(self, stop: threading.Event) -> None:
        """Do compliance without delaying other jobs for long. What X has not finished by then is continued in an hour."""
        if self.comply(stop, WaitingJob(most=COMPLIANCE_WAIT_S)).waiting:
            raise NotDone("X has not finished the job yet: it is checked again in an hour")

    def retain(self, stop: threading.Event) -> None:
        """Delete what is older than the settings allow."""
        removed = expire(self._database, tweets=self._plan.tweets, payloads=self._plan.payloads, stop=stop)
        log.info("old tweets removed", extra=removed._asdict())

    def sweep(self, _stop: threading.Event) -> None:
        """Erase what deletions left in files; raises DatabaseUnavailable while that is prevented."""
        if not sweep(self._database):
            raise DatabaseUnavailable("another process holds the database's file: deleted text may still be in it")

    def back_up(self, _stop: threading.Event) -> None:
        name = make_scheduled_backup(self._database, kept=self._plan.backups_kept)
        log.info("backup made", extra={"backup": name})

    def _is_refresh_due(self, session: Session) -> bool:
        return is_refresh_due(session, self._collector.clock)

    def _has_due_counts(self, session: Session) -> bool:
        """Whether tags are to be counted. X's time must be known, because X refuses hours that are not over."""
        return (self._collector.clock.is_known or is_x_time_known(session)) and bool(self._due_counts(session))

    def _due_counts(self, session: Session) -> Sequence[counting.Due]:
        clock = self._collector.clock
        now = clock.now() if clock.is_known else x_now(session)
        return counting.due(session, now=now, every=self._plan.counting or HOUR)

    @contextmanager
    def _x(self) -> Iterator[AppOnly]:
        """Connect to X; raises SourceRefused where the stored tweets are from another source."""
        with self._database.reading() as session:
            sources.require(session, self._collector.source.name)
        count = request_counter(self._database)
        with closing(AppOnly(self._collector.source.reach(), self._collector.clock, count)) as x:
            yield x


class JobRunner:
    """Does the jobs of a database when they are due, those of each thread one after the other."""

    def __init__(self, database: Database, jobs: Sequence[ScheduledJob]) -> None:
        self._database, self._jobs = database, jobs
        self._stop, self._finished_by = threading.Event(), 0.0
        self._lock = threading.RLock()  # a signal may stop what is being stopped
        self._under_way: set[threading.Event] = set()
        self._threads: list[tuple[threading.Thread, bool]] = []

    def planned_intervals(self, session: Session) -> dict[str, timedelta]:
        """How often each job is done, by name, without rare ones that have nothing to do now."""
        planned = [job for job in self._jobs if not job.rare or job.has_work(session)]
        return {job.name: job.shown_interval or job.every for job in planned}

    def start(self) -> None:
        """Do what is due now and from now on."""
        for name in dict.fromkeys(job.thread for job in self._jobs):
            own = [job for job in self._jobs if job.thread == name]
            thread = threading.Thread(target=self._run, args=(own,), name=name, daemon=True)
            self._threads.append((thread, any(job.finish for job in own)))
            thread.start()

    def stop(self) -> None:
        """Start no further job; those that run end soon."""
        with self._lock:
            self._finished_by = self._finished_by or time.monotonic() + FINISHING_S
            self._stop.set()
            for stop_work in self._under_way:
                stop_work.set()

    def close(self, *, seconds: float = 5) -> None:
        """Stop, and wait for the threads: so many seconds, or longer for jobs that finish something."""
        self.stop()
        deadline = time.monotonic() + seconds
        for thread, finishes in self._threads:
            until = max(deadline, self._finished_by) if finishes else deadline
            thread.join(max(0.0, until - time.monotonic()))

    def run_due(self) -> None:
        """Do each job that is due, once."""
        self._run_due(self._jobs)

    def _run_due(self, jobs: Sequence[ScheduledJob]) -> None:
        for job in jobs:
            if self._stop.is_set():
                return
            try:
                self._run_if_due(job)
            except DatabaseUnavailable as error:
                log.warning("job not done", extra={"scheduled_job": job.name, "reason": str(error)})

    def _run(self, jobs: Sequence[ScheduledJob]) -> None:
        while True:
            try:
                self._run_due(jobs)
            except Exception:
                log.exception("job runner failed")
            if self._stop.wait(CHECK_EVERY_S):
                break
        for job in jobs:
            if job.finish:
                job.finish(self._finished_by - time.monotonic())

    def _run_if_due(self, job: ScheduledJob) -> None:
        with self._database.reading() as session:
            if not _is_due(session, job):
                return
        token = self._database.write(partial(_begin, job))
        if token is None:
            return
        failure: Failure | None = INTERRUPTION
        try:
            with self._stoppable() as stop_work, lease.renewing(self._database, token, stop_work.set, name=_lease_name(job)):
                failure = _work(job, stop_work)
        finally:
            self._database.write(partial(_end, job, token, failure), timeout_s=lease.LASTS_S)

    @contextmanager
    def _stoppable(self) -> Iterator[threading.Event]:
        """Give an event that is set when the runner stops."""
        stop_work = threading.Event()
        with self._lock:
            self._under_way.add(stop_work)
        try:
            if self._stop.is_set():
                stop_work.set()
            yield stop_work
        finally:
            with self._lock:
                self._under_way.discard(stop_work)


def _is_due(session: Session, job: ScheduledJob) -> bool:
    """Whether a job is due. One that seems to have begun in the future is: the clock was set back.

    What X did not offer the account is asked again once a day.
    """
    columns = select(JobState.began, JobState.succeeded, JobState.error, JobState.failure_kind)
    row = session.execute(columns.where(JobState.name == job.name)).first()
    if row:
        is_done = not row.error and row.succeeded and row.succeeded >= row.began
        every = job.every if is_done else min(job.every, RETRY_AFTER)
        every = DAY if row.failure_kind == NOT_OFFERED_KIND else every
        if timedelta() <= datetime.now(UTC) - row.began < every:
            return False
    return job.has_work(session)


def _begin(job: ScheduledJob, session: Session) -> int | None:
    """Record that a job begins and return the token of its lease, None where it is not due or another process does it."""
    lease.refuse_while_restoring(session)
    if not _is_due(session, job):
        return None
    token = lease.take(session, f"{socket.gethostname()}:{os.getpid()}", name=_lease_name(job))
    if token is not None:
        row = {"name": job.name, "began": datetime.now(UTC), "succeeded": None, "error": None, "failure_kind": None}
        upsert(session, JobState, [row], update=("began",))
    return token


def _work(job: ScheduledJob, stop: threading.Event) -> Failure | None:
    """Do a job, and return why it was not done, or None."""
    try:
        job.work(stop)
    except (*EXPECTED, NotDone) as error:
        log.warning("job not done", extra={"scheduled_job": job.name, "reason": str(error)})
        return Failure(error.kind, str(error))
    except Stopped:
        return INTERRUPTION
    except Exception as error:
        log.exception("job failed", extra={"scheduled_job": job.name})
        return Failure("crash", f"it failed unexpectedly: {type(error).__name__}; the log says more")
    return None


def _end(job: ScheduledJob, token: int, failure: Failure | None, session: Session) -> None:
    """Record how a job ended, and release its lease."""
    kind, reason = failure or (None, None)
    ended = {"error": reason, "failure_kind": kind} | ({} if failure else {"succeeded": datetime.now(UTC)})
    session.execute(update(JobState).where(JobState.name == job.name).values(**ended))
    lease.give_back(session, token, name=_lease_name(job))


def _lease_name(job: ScheduledJob) -> str:
    return f"{JOB_LEASE}{job.name}"


def _has_tweets(session: Session) -> bool:
    return sources.source_of(session) is not None
