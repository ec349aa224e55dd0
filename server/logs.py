"""The messages of gunicorn and of waitress as our log records, without anything that a client has sent."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.glogging import Logger

UNDONE = "Exception while serving "


class ServerLog(Logger):
    """gunicorn's own messages; requests have their access event."""

    def setup(self, cfg: Any) -> None:
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.access_log.disabled = True


def quieten() -> None:
    """Let waitress speak of what goes wrong, not of requests that wait for a thread, and name no paths."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    waitress = logging.getLogger("waitress")
    if _without_path not in waitress.filters:
        waitress.addFilter(_without_path)


def _without_path(record: logging.LogRecord) -> bool:
    """Take the path out of a record: it can hold a username."""
    if isinstance(record.msg, str) and record.msg.startswith(UNDONE):
        record.msg, record.args = "an answer broke off", ()
    return True
