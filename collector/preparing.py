"""What the service writes when it starts: schema, tracked tags, epoch. Without a primary database it waits for one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from alchemy import DatabaseAway, DatabaseUnavailable
from collector.counters import begin_epoch
from collector.jobs.schedule import forget_schedules
from collector.runs.collector import Collector

log = logging.getLogger(__name__)

TRIED_AGAIN_S = 2.0


def prepare(collector: Collector) -> bool:
    """Prepare the database; returns False if it can be read but not written now.

    Raises DatabaseRevision, DatabaseUnavailable.
    """
    try:
        _write(collector)
    except DatabaseAway as error:
        collector.database.check_schema()
        log.warning("reads are served, the rest waits for a primary of the database", extra={"reason": error.in_full})
        return False
    return True


def _write(collector: Collector) -> None:
    collector.prepare()
    collector.database.write(begin_epoch)
    collector.database.write(forget_schedules)


class Preparation:
    """Prepares the database in a thread as soon as there is a primary; until then the collector is read-only."""

    def __init__(self, collector: Collector) -> None:
        self._collector, self._stop = collector, threading.Event()
        self._thread: threading.Thread | None = None
        collector.read_only = True

    def start(self, then: Callable[[], None]) -> None:
        """Start the thread; it calls `then` once the database is ready."""
        self._thread = threading.Thread(target=self._try, args=(then,), name="preparation", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop trying."""
        self._stop.set()

    def close(self, *, seconds: float = 5) -> None:
        """Stop, and wait for the thread."""
        self.stop()
        if self._thread:
            self._thread.join(seconds)

    def _try(self, then: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                _write(self._collector)
            except DatabaseUnavailable as error:
                log.warning("still read-only", extra={"reason": error.in_full})
                self._stop.wait(TRIED_AGAIN_S)
            else:
                self._collector.read_only = False
                log.info("the database is ready")
                then()
                return
