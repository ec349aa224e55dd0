"""What a process of the service does beside requests: collections, their schedule, and scheduled jobs."""

from __future__ import annotations

import logging
from functools import partial
from typing import NamedTuple

from alchemy import DatabaseUnavailable
from collector.jobs.schedule import CollectionSchedule
from collector.jobs.scheduled import JobRunner
from collector.preparing import Preparation
from collector.runs.collector import Collector, NothingTracked
from collector.sources import SourceRefused

log = logging.getLogger(__name__)


class Work(NamedTuple):
    """The background work of a process. Leases let one of several processes do each part at a time.

    With a `preparation` it starts once that is done.
    """

    collector: Collector
    schedule: CollectionSchedule
    job_runner: JobRunner
    preparation: Preparation | None = None

    def start(self, *, collect: bool) -> None:
        """Collect at first start if `collect`, and then on schedule."""
        begin = partial(self._begin, collect=collect)
        if self.preparation:
            self.preparation.start(begin)
        else:
            begin()

    def _begin(self, *, collect: bool) -> None:
        if collect:
            try:
                self.collector.start_first()
            except (DatabaseUnavailable, SourceRefused, NothingTracked) as error:
                log.error("first collection not started", extra={"reason": str(error)})
        self.schedule.start()
        self.job_runner.start()

    def stop(self) -> None:
        """Let a collection end at its next page, and start nothing more; returns at once."""
        if self.preparation:
            self.preparation.stop()
        self.schedule.stop()
        self.job_runner.stop()
        self.collector.stop()

    def close(self) -> None:
        """Stop, wait until nothing runs, and close the database."""
        self.stop()
        if self.preparation:
            self.preparation.close()
        self.schedule.close()
        self.job_runner.close()
        self.collector.close()
