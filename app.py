"""The web side: `create_app()` wires the service and starts nothing; `python app.py` lets server/ serve it.

Each worker can collect; the lease lets one do it at a time.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from contextlib import closing
from importlib import import_module

from flask import Flask

import logstash
from alchemy import DatabaseRevision, DatabaseUnavailable
from api import collector_for, job_runner_for
from collector.jobs.schedule import CollectionSchedule
from collector.jobs.work import Work
from collector.preparing import Preparation, prepare
from collector.runs.collector import Collector
from middleware.answers import Answers
from middleware.capacity import TimeLimit, bound
from queries.batches import TweetsReplaced
from queries.newest import Newest
from security.door import behind_proxies, install_guard
from security.listening import check_listening
from security.scopes import enforce_scopes
from security.tokens import texts_of, weak
from server.listening import listen
from server.serving import serve
from settings import SettingError, Settings, load
from telemetry import processes
from telemetry.requests import Observer, context, note_routes
from text.secrets import Secrets

log = logging.getLogger(__name__)

OUTSIDE = (DatabaseUnavailable, DatabaseRevision, TweetsReplaced)


def create_app(settings: Settings | None = None) -> Flask:
    """Return the service as a WSGI app. Without settings they are loaded, and a wrong one ends the process with one line."""
    given = settings
    try:
        settings = settings or load()
        weak(texts_of(settings))
        collector = collector_for(settings)
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    app = _wire(settings, collector)
    for doubt in () if given else settings.misspelt:  # whoever gives settings has said so, once for all workers
        log.warning(doubt)
    return app


def _wire(settings: Settings, collector: Collector) -> Flask:
    """Put the parts together. They are imported late: prometheus_client fixes at its import whether processes share metrics."""
    import cli.registration
    import resources
    import web
    from telemetry.logs import LogMetrics
    from telemetry.metrics import HttpMetrics

    command = os.environ.get("FLASK_RUN_FROM_CLI") == "true"
    secrets = Secrets(settings.secrets())
    logstash.configure(settings.log_level, context, hide=secrets.hide, stream=sys.stderr if command else sys.stdout)
    app = Flask(__name__, template_folder="web/templates", static_folder=None)
    app.extensions["collector"] = collector
    app.extensions["schedule"] = CollectionSchedule(collector, settings.collect_every) if settings.collect_every else None
    upkeep = app.extensions["upkeep"] = job_runner_for(collector, settings)
    metrics = HttpMetrics()
    logs = LogMetrics(metrics.registry)
    logs.set_enabled(settings.logstash_host is not None)
    if settings.logstash_host:
        from telemetry.shipping import ship

        ship(settings.logstash_host, settings.logstash_port, logs.delivery, context, hide=secrets.hide)
    note_routes(app)
    enforce_scopes(app)
    bound(app)
    app.extensions["answers"] = Answers(app.wsgi_app, cache_mb=settings.cache_mb)
    app.wsgi_app = TimeLimit(app.extensions["answers"], settings.query_timeout)  # type: ignore[method-assign]
    door = install_guard(app, settings, secrets.learn)
    app.wsgi_app = behind_proxies(Observer(door, metrics, OUTSIDE), settings)  # type: ignore[method-assign]
    newest = Newest(collector.database)
    snapshots = app.extensions["snapshots"] = resources.Snapshots(collector.database, newest, within=settings.query_timeout)
    resources.register(app, collector, upkeep, metrics, snapshots)
    web.register(app, collector, newest, door, metrics, settings)
    cli.registration.register(app, collector)
    return app


def _worker(settings: Settings, *, prepared: bool) -> tuple[Flask, Work]:
    """Return what a worker serves, and what it does beside that, as soon as the database is prepared."""
    if processes.is_shared():
        processes.join()
    app = create_app(settings)
    parts = app.extensions
    preparation = None if prepared else Preparation(parts["collector"])
    return app, Work(parts["collector"], parts["schedule"], parts["upkeep"], preparation)


def main() -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 of a container has no default action before Granian's
    try:
        settings = load()
        logstash.configure(settings.log_level, hide=Secrets(settings.secrets()).hide)
        for doubt in settings.misspelt:
            log.warning(doubt)
        warning = check_listening(settings)
        with closing(collector_for(settings)) as collector:
            listener = listen(settings)
            prepared = prepare(collector)
        if settings.workers > 1:
            _share_metrics(settings)
    except (SettingError, DatabaseRevision) as error:
        return _refuse(str(error), 2)
    except DatabaseUnavailable as error:
        return _refuse(error.in_full, 1)
    except OSError as error:
        return _refuse(str(error), 1)
    if warning:
        log.warning(warning)
    log.info("listening", extra={"url": f"http://{settings.host}:{settings.port}"})
    try:
        _import_parts()
        serve(settings, listener, lambda: _worker(settings, prepared=prepared))
    finally:
        processes.leave()
    return 0


def _share_metrics(settings: Settings) -> None:
    """Let workers share their metrics; raises OSError with one line that names the folder and its setting."""
    folder = settings.data_folder / f"metrics-{settings.port}"
    try:
        processes.share(folder, settings.workers)
    except OSError as error:
        raise OSError(f"DATA_FOLDER: {folder} can't hold the metrics of several workers: {error.strerror}") from error


def _import_parts() -> None:
    """Import what a service is made of, so that workers begin at once and share its memory."""
    for name in ("cli.registration", "resources", "web", "telemetry.logs", "telemetry.metrics"):
        import_module(name)
    gc.collect()
    gc.freeze()


def _refuse(reason: str, code: int) -> int:
    sys.stderr.write(f"{reason}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
