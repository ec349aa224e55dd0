"""The chores of a database, and how often its settings want them done."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from alchemy import DatabaseUnavailable
from collector import sources
from collector.backups import rotation
from collector.backups.sweeping import due, sweep
from collector.compliance.jobs import ComplianceResult, WaitingJob, comply
from collector.jobs import counting
from collector.jobs.upkeep import NotDone, ScheduledJob
from collector.ledger import ledger, reconciling
from collector.ledger.calls import call_buyer
from collector.runs.collector import Collector
from collector.tweets.retention import expire
from collector.x.app_only import AppOnly
from queries.figures import is_x_time_known, x_now
from settings import Settings

log = logging.getLogger(__name__)

SHORT_WAIT_S = 120.0
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Plan(NamedTuple):
    """How often each chore is done, None is never; how many scheduled copies are kept, and how long tweets and payloads are."""

    counting: timedelta | None = None
    reconcile: timedelta | None = None
    comply: timedelta | None = None
    backup: timedelta | None = None
    backups_kept: int = 3
    tweets: timedelta | None = None
    payloads: timedelta | None = None

    @classmethod
    def of(cls, settings: Settings) -> Plan:
        every = (settings.count_every, settings.reconcile_every, settings.comply_every, settings.backup_every)
        return cls(*every, settings.backups_kept, settings.tweet_retention, settings.payload_retention)

    @property
    def intervals(self) -> dict[str, timedelta]:
        """Return how often each planned chore is done, by name, in their order."""
        every = {
            "count": self.counting,
            "reconcile": self.reconcile,
            "comply": self.comply,
            "retain": DAY if self.tweets is not None or self.payloads is not None else None,
            "sweep": DAY,
            "backup": self.backup,
        }
        return {name: interval for name, interval in every.items() if interval}


class ScheduledJobs:
    """What can be done beside collections, for one collector. Each method ends soon after `stop` is set."""

    def __init__(self, collector: Collector, plan: Plan) -> None:
        self._collector, self._plan = collector, plan
        self._database, self._billing = collector.database, collector.order.billing

    def planned_jobs(self) -> list[ScheduledJob]:
        """Return those that are planned. Which tags are to be counted follows from their own counts."""
        work: dict[str, tuple[Callable[[Session], bool], Callable[[threading.Event], object]]] = {
            "count": (self._counts_due, self.count),
            "reconcile": (lambda session: not ledger.empty(session), self.reconcile),
            "comply": (_has_tweets, self._comply),
            "retain": (_has_tweets, self.retain),
            "sweep": (lambda session: due(self._database, session), self.sweep),
            "backup": (_has_tweets, self.back_up),
        }
        every = self._plan.intervals | {"count": HOUR}
        return [ScheduledJob(name, every[name], *work[name], seldom=name == "sweep") for name in self._plan.intervals]

    def count(self, stop: threading.Event) -> None:
        """Ask X how many posts there are of each tag that was not counted lately."""
        retry_policy = self._collector.order.retry_policy
        with self._asking() as x, call_buyer(self._database, x, self._billing, retry_policy, stop) as desk:
            with self._database.reading() as session:
                wanted = self._due(session)
            counting.count(desk, wanted)

    def reconcile(self, _stop: threading.Event) -> None:
        """Compare the ledger with X's own count, and with the account's balance, which only X itself can tell."""
        with self._asking() as x:
            reconciling.reconcile(self._database, x, self._billing)
            if self._collector.source.name == sources.REAL:
                reconciling.read_balance(self._database, x)

    def comply(self, stop: threading.Event, waiting: WaitingJob | None = None) -> ComplianceResult:
        """Ask X which stored tweets must go, and remove them; wait for X as long as `waiting` says."""
        with self._asking() as x:
            done = comply(self._database, x, stop=stop, patience=self._collector.order.retry_policy, waiting=waiting)
        if not done.waiting:
            log.info("compliance seen to", extra={"ids": done.ids, "removed": done.removed, "scrubbed": done.scrubbed})
        return done

    def _comply(self, stop: threading.Event) -> None:
        """See to compliance without holding up other chores for long; what X takes longer for is gone on with in an hour."""
        if self.comply(stop, WaitingJob(most=SHORT_WAIT_S)).waiting:
            raise NotDone("X is still at work with the job: it is asked again")

    def retain(self, stop: threading.Event) -> None:
        """Remove what is older than it may be."""
        gone = expire(self._database, tweets=self._plan.tweets, payloads=self._plan.payloads, stop=stop)
        log.info("old tweets removed", extra=gone._asdict())

    def sweep(self, _stop: threading.Event) -> None:
        """Leave nothing of what was deleted in any file."""
        if not sweep(self._database):
            raise DatabaseUnavailable("something holds the database's file: what was deleted may still be in it")

    def back_up(self, _stop: threading.Event) -> None:
        """Copy the database."""
        name = rotation.make_scheduled_backup(self._database, kept=self._plan.backups_kept)
        log.info("backup made", extra={"backup": name})

    def _counts_due(self, session: Session) -> bool:
        """Tell whether tags are to be counted; X's time must be known, for it refuses hours that are not over."""
        return (self._collector.clock.is_known or is_x_time_known(session)) and bool(self._due(session))

    def _due(self, session: Session) -> list[counting.Due]:
        every = self._plan.counting or HOUR
        return list(counting.due(session, now=self._now(session), every=every))

    def _now(self, session: Session) -> datetime:
        clock = self._collector.clock
        return clock.now() if clock.is_known else x_now(session)

    @contextmanager
    def _asking(self) -> Iterator[AppOnly]:
        """Give the way to X; raises SourceRefused where the stored tweets are another's."""
        with self._database.reading() as session:
            sources.require(session, self._collector.source.name)
        with closing(AppOnly(self._collector.source.reach(), self._collector.clock)) as x:
            yield x


def _has_tweets(session: Session) -> bool:
    return sources.source_of(session) is not None
