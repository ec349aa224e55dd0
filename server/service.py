"""What a worker serves, and what it does beside the requests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from alchemy import DatabaseUnavailable
from collector.collector import Collector, NothingTracked
from collector.schedule import Schedule
from collector.sources import SourceRefused
from collector.upkeep import Upkeep

log = logging.getLogger(__name__)

Application = Callable[..., Iterable[bytes]]


class Service(NamedTuple):
    """The WSGI app, the work that goes on beside it, and who counts the requests that never reach it, by their status."""

    app: Application
    collector: Collector
    schedule: Schedule | None
    upkeep: Upkeep
    refused: Callable[[int], None]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request. gunicorn loads nothing that can't be called."""
        return self.app(environ, start_response)

    def start(self, *, collect: bool) -> None:
        """Collect at first start if so asked, and then on schedule, beside the requests."""
        if collect:
            try:
                self.collector.start_first()
            except (DatabaseUnavailable, SourceRefused, NothingTracked) as error:
                log.error("first collection not started", extra={"reason": str(error)})
        if self.schedule:
            self.schedule.start()
        self.upkeep.start()

    def stop(self) -> None:
        """Let a collection end at its next page, and start nothing more; returns at once."""
        if self.schedule:
            self.schedule.stop()
        self.upkeep.stop()
        self.collector.stop()

    def close(self) -> None:
        """Stop, wait until nothing runs, and let go of the database."""
        self.stop()
        if self.schedule:
            self.schedule.close()
        self.upkeep.close()
        self.collector.close()
