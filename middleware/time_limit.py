"""The longest that a request may wait for the database, as a whole, whatever the database does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from database.limits import MARGIN_S, limit_waiting


class TimeLimit:
    """A WSGI middleware under which a request waits for the database no longer than `within` and a margin.

    A long answer goes on after that: each of its questions has a limit of its own.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], within: timedelta) -> None:
        self._app, self._seconds = app, within.total_seconds() + MARGIN_S

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, or give up in time."""
        with limit_waiting(seconds=self._seconds):
            return self._app(environ, start_response)
