"""The web side: `create_app()` wires the service and starts nothing; `python app.py` serves it.

Served by gunicorn's threaded workers. Each worker can collect; the lease lets one do it at a time.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

import logstash
from alchemy import DatabaseRevision, DatabaseUnavailable
from api import collector_for, upkeep_for
from collector.collector import Collector, NothingTracked
from collector.schedule import Schedule, forget_schedules
from collector.sources import SourceRefused
from collector.upkeep import Upkeep
from guard.listening import check_listening
from guard.requests import guard
from settings import SettingError, Settings, load
from telemetry.requests import context, observe

log = logging.getLogger(__name__)

THREADS = 32
GRACE_S = 30
BACKLOG = 1024
LARGEST_BODY = 1024 * 1024


def create_app(settings: Settings | None = None) -> Flask:
    """Return the service as a WSGI app. Without settings they are loaded, and a wrong one ends the process with one line."""
    try:
        settings = settings or load()
        collector = collector_for(settings)
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    return _wired(settings, collector)


def _wired(settings: Settings, collector: Collector) -> Flask:
    """Put the parts together. They are imported late: prometheus_client fixes at its import whether processes share figures."""
    import commands.registration
    import resources
    import web
    from telemetry.logs import LogMetrics
    from telemetry.metrics import HttpMetrics
    from telemetry.shipping import ship

    command = os.environ.get("FLASK_RUN_FROM_CLI") == "true"
    logstash.configure(settings.log_level, context, stream=sys.stderr if command else sys.stdout)
    app = Flask(__name__, template_folder="web/templates", static_folder=None)
    app.extensions["collector"] = collector
    app.extensions["schedule"] = Schedule(collector, settings.collect_every) if settings.collect_every else None
    upkeep = app.extensions["upkeep"] = upkeep_for(collector, settings)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    observe(app)
    metrics = HttpMetrics(app)
    logs = LogMetrics(metrics.registry)
    logs.enabled(settings.logstash_host is not None)
    if settings.logstash_host:
        ship(settings.logstash_host, settings.logstash_port, logs.delivery, context)
    guard(app, settings.api_token, allow_open=settings.allow_open)
    resources.register(app, collector, upkeep, metrics)
    web.register(app, collector)
    commands.registration.register(app, collector)
    metrics.start_at_zero(app)
    return app


class Worker(ThreadWorker):
    """A worker that lets its collection end at the next page as soon as it is told to stop."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        _stop_collecting(self)
        super().handle_exit(sig, frame)


class Server(BaseApplication):
    """gunicorn, configured by our settings; it serves on a socket that is bound already."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings, self._listener = settings, listener
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": self._settings.workers,
            "worker_class": Worker,
            "threads": THREADS,
            "graceful_timeout": GRACE_S,
            "logger_class": ServerLog,
            "control_socket_disable": True,
            "post_worker_init": self._started,
            "worker_exit": lambda _server, worker: _close(worker),
            "child_exit": _forget,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._settings)

    def _started(self, worker: Worker) -> None:
        """Collect at first start, and then on schedule, beside the requests."""
        if self._settings.collect_on_start:
            try:
                collector_of(worker).start_first()
            except (DatabaseUnavailable, SourceRefused, NothingTracked) as error:
                log.error("first collection not started", extra={"reason": str(error)})
        if schedule := schedule_of(worker):
            schedule.start()
        upkeep_of(worker).start()


class ServerLog(Logger):
    """gunicorn's own messages, as our log records."""

    def setup(self, cfg: Any) -> None:
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.access_log.disabled = True

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Say that a request could not be read without what it was: it may hold a credential or a body."""
        super().warning(re.sub(r"(?s)^(Invalid request from ip=[^ :]*).*", r"\1", msg), *args, **kwargs)


def _forget(_server: object, worker: Worker) -> None:
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def collector_of(worker: Worker) -> Collector:
    """Return the collector of a worker's app."""
    collector: Collector = worker.wsgi.extensions["collector"]
    return collector


def schedule_of(worker: Worker) -> Schedule | None:
    """Return the schedule that a worker keeps, or None."""
    schedule: Schedule | None = worker.wsgi.extensions["schedule"]
    return schedule


def upkeep_of(worker: Worker) -> Upkeep:
    """Return the upkeep of a worker's database."""
    upkeep: Upkeep = worker.wsgi.extensions["upkeep"]
    return upkeep


def _stop_collecting(worker: Worker) -> None:
    if schedule := schedule_of(worker):
        schedule.stop()
    upkeep_of(worker).stop()
    collector_of(worker).stop()


def _close(worker: Worker) -> None:
    _stop_collecting(worker)
    if schedule := schedule_of(worker):
        schedule.close()
    upkeep_of(worker).close()
    collector_of(worker).close()


def main() -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 of a container has no default action before gunicorn's
    try:
        settings = load()
        logstash.configure(settings.log_level)
        warning = check_listening(settings)
        with closing(collector_for(settings)) as collector:
            listener = _listen(settings)
            collector.prepare()
            forget_schedules(collector)
    except (SettingError, DatabaseRevision) as error:
        return _refuse(str(error), 2)
    except (DatabaseUnavailable, OSError) as error:
        return _refuse(str(error), 1)
    if warning:
        log.warning(warning)
    log.info("listening", extra={"url": f"http://{settings.host}:{settings.port}"})
    with _shared_figures():
        Server(settings, listener).run()
    return 0


@contextmanager
def _shared_figures() -> Iterator[None]:
    """Give the workers an empty folder in which they share the figures of their metrics."""
    parent, folder = os.getpid(), tempfile.mkdtemp(prefix="twitterapi-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        yield
    finally:
        if os.getpid() == parent:
            shutil.rmtree(folder, ignore_errors=True)


def _listen(settings: Settings) -> socket.socket:
    host = settings.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise OSError(f"HOST, PORT: {host} port {settings.port} can't be listened on: {reason}") from error


def _refuse(reason: str, code: int) -> int:
    sys.stderr.write(f"{reason}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
