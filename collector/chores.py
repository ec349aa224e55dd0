"""The chores of a database, and how often its settings want them done."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from collector import counting, lease, reconciling, runs, sources
from collector.collector import Collector
from collector.copies import rotation
from collector.money import ledger
from collector.money.calls import Desk
from collector.upkeep import Task
from collector.x.app_only import AppOnly
from queries.figures import x_now, x_time_known
from settings import Settings

log = logging.getLogger(__name__)

HOUR = timedelta(hours=1)


class Plan(NamedTuple):
    """How often each chore is done, None is never; how many scheduled copies are kept."""

    counting: timedelta | None = None
    reconcile: timedelta | None = None
    backup: timedelta | None = None
    copies: int = 3

    @classmethod
    def of(cls, settings: Settings) -> Plan:
        return cls(settings.count_every, settings.reconcile_every, settings.backup_every, settings.backups_kept)

    @property
    def intervals(self) -> dict[str, timedelta]:
        """Return how often each planned chore is done, by name."""
        every = {"count": self.counting, "reconcile": self.reconcile, "backup": self.backup}
        return {name: interval for name, interval in every.items() if interval}


class Chores:
    """What can be done beside collections, for one collector. Each method ends soon after `stop` is set."""

    def __init__(self, collector: Collector, plan: Plan) -> None:
        self._collector, self._plan = collector, plan
        self._database, self._billing = collector.database, collector.order.billing

    def tasks(self) -> list[Task]:
        """Return those that are planned. Which tags are to be counted follows from their own counts."""
        work = {
            "count": (self._counts_due, self.count),
            "reconcile": (lambda session: not ledger.empty(session), self.reconcile),
            "backup": (_holds_tweets, self.back_up),
        }
        every = self._plan.intervals | {"count": HOUR}
        return [Task(name, every[name], *work[name]) for name in self._plan.intervals]

    def count(self, stop: threading.Event) -> None:
        """Ask X how many posts there are of each tag that was not counted lately."""
        with self._asking() as x:
            with self._database.writing() as session:
                lease.refuse_while_restoring(session)
                wanted, run_id = self._due(session), runs.chore(session)
            counting.count(Desk(self._database, x, self._billing, run_id, stop), wanted)

    def reconcile(self, _stop: threading.Event) -> None:
        """Compare the ledger with X's own count."""
        with self._asking() as x:
            reconciling.reconcile(self._database, x, self._billing)

    def back_up(self, _stop: threading.Event) -> None:
        """Copy the database."""
        name = rotation.keep_scheduled(self._database, kept=self._plan.copies)
        log.info("backup made", extra={"backup": name})

    def _counts_due(self, session: Session) -> bool:
        """Tell whether tags are to be counted; X's time must be known, for it refuses hours that are not over."""
        return (self._collector.clock.known or x_time_known(session)) and bool(self._due(session))

    def _due(self, session: Session) -> list[counting.Due]:
        every = self._plan.counting or HOUR
        return list(counting.due(session, now=self._now(session), every=every))

    def _now(self, session: Session) -> datetime:
        clock = self._collector.clock
        return clock.now() if clock.known else x_now(session)

    @contextmanager
    def _asking(self) -> Iterator[AppOnly]:
        """Give the way to X; raises SourceRefused where the stored tweets are another's."""
        with self._database.reading() as session:
            sources.require(session, self._collector.source.name)
        with closing(AppOnly(self._collector.source.reach(), self._collector.clock)) as x:
            yield x


def _holds_tweets(session: Session) -> bool:
    return sources.source_of(session) is not None
