"""gunicorn, configured by our settings: it starts workers, replaces those that die, and passes signals on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from server.channels import Patience
from server.figures import forget
from server.logs import ServerLog
from server.reception import USUAL
from server.service import Service
from server.worker import GRACE_S, Worker
from settings import Settings

CLOSING_S = 5


class Supervisor(BaseApplication):
    """Serves what `load` gives, called once by each worker, on a socket that listens already and is its own from now on."""

    def __init__(
        self, settings: Settings, listener: socket.socket, load: Callable[[], Service], *, patience: Patience = USUAL
    ) -> None:
        self._settings, self._listener, self._load, self.patience = settings, listener.detach(), load, patience
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"fd://{self._listener}",
            "workers": self._settings.workers,
            "worker_class": Worker,
            "graceful_timeout": GRACE_S + CLOSING_S,
            "logger_class": ServerLog,
            "control_socket_disable": True,
            "post_worker_init": self._started,
            "worker_exit": lambda _arbiter, worker: worker.close(),
            "child_exit": lambda _arbiter, worker: forget(worker.pid),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Service:
        return self._load()

    def _started(self, worker: Any) -> None:
        worker.service.start(collect=self._settings.collect_on_start)
