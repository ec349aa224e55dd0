"""What the service writes when it starts: the schema, the tracked tags, its epoch. Where no primary is there, that waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from alchemy import DatabaseAway, DatabaseUnavailable
from collector.figures import begin_epoch
from collector.jobs.schedule import forget_schedules
from collector.runs.collector import Collector

log = logging.getLogger(__name__)

TRIED_AGAIN_S = 2.0


def prepare(collector: Collector) -> bool:
    """Get the database ready; return False where nobody can write now, but what is stored can be read.

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
    """Gets the database ready as soon as there is a primary, in a thread of its own; until then the collector is read-only."""

    def __init__(self, collector: Collector) -> None:
        self._collector, self._stop = collector, threading.Event()
        self._thread: threading.Thread | None = None
        collector.read_only = True

    def start(self, then: Callable[[], None]) -> None:
        """Begin, and do `then` once it is ready."""
        self._thread = threading.Thread(target=self._try, args=(then,), name="preparation", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Try no more."""
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
