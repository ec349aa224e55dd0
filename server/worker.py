"""gunicorn's worker, with waitress for its input and output."""

from __future__ import annotations

import math
import os
import resource
import time
from typing import Any

from gunicorn.workers.base import Worker as BaseWorker

from server.reception import CONNECTIONS, Reception
from server.service import Service

GRACE_S = 30
NOTIFY_S = 1
FILES = 4 * CONNECTIONS  # a connection can have two temporary files, and the database has some


class Worker(BaseWorker):
    """Serves until it is told to stop or its parent is gone; then it finishes what is under way, for up to GRACE_S."""

    service: Service | None = None
    _reception: Reception | None = None
    _notified = -math.inf

    def load_wsgi(self) -> None:
        """Load the app and what goes on beside it."""
        _allow_files()
        self.service = self.app.wsgi()

    def run(self) -> None:
        """Serve."""
        service = self.app.wsgi()
        self._reception = reception = Reception(service.app, self.sockets[0].sock, self.app.patience, service.refused)
        while self.alive and os.getppid() == self.ppid:
            self._turn(reception)
        reception.leave()
        last = time.monotonic() + GRACE_S
        while reception.busy and time.monotonic() < last:
            self._turn(reception)
        self._reception = None
        reception.close()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop, and let a collection end at its next page."""
        super().handle_exit(sig, frame)
        if self.service:
            self.service.stop()
        if self._reception:
            self._reception.wake()

    def close(self) -> None:
        """Close what the app has open. The supervisor calls this too, for a worker that never ran in its process."""
        if self.service:
            self.service.close()

    def _turn(self, reception: Reception) -> None:
        reception.turn()
        if time.monotonic() - self._notified > NOTIFY_S:
            self._notified = time.monotonic()
            self.notify()


def _allow_files() -> None:
    """Let this process open as many files as its connections may need, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
