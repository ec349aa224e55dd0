"""The web service: `create_app()` wires it and starts nothing; `python app.py` serves it by server/.

Every worker can collect; a lease lets one of them do so at a time.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from contextlib import closing
from functools import partial
from importlib import import_module

from flask import Flask

import logstash
from alchemy import DatabaseRevision, DatabaseUnavailable
from api import collector_for, job_runner_for
from cli.database import database_commands
from cli.tweets import tweets_commands
from collector.jobs.schedule import CollectionSchedule
from collector.jobs.work import Work
from collector.preparing import Preparation, prepare
from collector.runs.collector import Collector
from queries.lists import TweetsReplaced
from queries.newest import Newest
from security.answers import Answers
from security.capacity import TimeLimit, bound
from security.guard import behind_proxies, enforce_scopes, install_guard
from security.tokens import check_listening, token_weakness, tokens_of
from server.serving import listen, serve
from settings import SettingError, Settings, load
from telemetry import processes
from telemetry.requests import Observer, context, note_routes
from text.secrets import Secrets
from watches.destinations import Destinations
from watches.feeds import path_of_key
from watches.jobs import render_for
from watches.trying import WatchTrials

log = logging.getLogger(__name__)

EXPECTED_FAILURES = (DatabaseUnavailable, DatabaseRevision, TweetsReplaced)


def create_app(settings: Settings | None = None) -> Flask:
    """Return the service as a WSGI app. Without settings it loads them, and exits with one line if one is wrong."""
    from_caller = settings is not None
    try:
        settings = settings or load()
        token_weakness(tokens_of(settings))
        collector = collector_for(settings)
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    app = _wire(settings, collector)
    for hint in () if from_caller else settings.spelling_hints:  # main() has logged them once for all workers
        log.warning(hint)
    return app


def _wire(settings: Settings, collector: Collector) -> Flask:
    """Wire the parts. Imports some late: prometheus_client decides at its import whether processes share metrics."""
    import resources
    import web
    from telemetry.metrics import HttpMetrics, LogMetrics

    command = os.environ.get("FLASK_RUN_FROM_CLI") == "true"
    secrets = Secrets(settings.secrets())
    stream = sys.stderr if command else sys.stdout
    logstash.configure(settings.log_level, context, hide=secrets.hide, stream=stream, form=settings.log_format)
    app = Flask(__name__, template_folder="web/templates", static_folder=None)
    app.extensions["collector"] = collector
    app.extensions["schedule"] = CollectionSchedule(collector, settings.collect_every)
    job_runner = app.extensions["job_runner"] = job_runner_for(collector, settings)
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
    feeds = partial(path_of_key, collector.database, within=settings.query_timeout)
    guard = install_guard(app, settings, secrets.add, feeds)
    app.wsgi_app = behind_proxies(Observer(guard, metrics, EXPECTED_FAILURES), settings)  # type: ignore[method-assign]
    newest = Newest(collector.database)
    snapshots = app.extensions["snapshots"] = resources.Snapshots(collector.database, newest, within=settings.query_timeout)
    destinations = app.extensions["destinations"] = Destinations(settings.notify_urls)
    render = render_for(collector, site=settings.site)
    trials = app.extensions["trials"] = WatchTrials(collector.database, destinations, render, site=settings.site)
    resources.register(
        app, collector, job_runner, metrics, snapshots, destinations, trials, settings.site, settings.setup_state
    )
    web.register(app, collector, newest, guard, metrics, settings, destinations, trials, render)
    for commands in (database_commands(collector), tweets_commands(collector, lambda: collector_for(settings, importing=True))):
        app.cli.add_command(commands)
    return app


def _worker(settings: Settings, *, prepared: bool) -> tuple[Flask, Work]:
    """Return the app of a worker and its background work, which starts once the database is prepared."""
    if processes.is_shared():
        processes.take_slot()
    app = create_app(settings)
    parts = app.extensions
    preparation = None if prepared else Preparation(parts["collector"])
    return app, Work(parts["collector"], parts["schedule"], parts["job_runner"], preparation)


def main() -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code."""
    # process 1 of a container has no default handler, and Granian installs its own later
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        settings = load()
        logstash.configure(settings.log_level, hide=Secrets(settings.secrets()).hide, form=settings.log_format)
        for hint in settings.spelling_hints:
            log.warning(hint)
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
    url = f"http://{settings.host}:{settings.port}"
    log.info("listening", extra={"url": url})
    if logstash.is_readable(settings.log_format, sys.stdout):
        sys.stdout.write(f"Open {url}\n")
        sys.stdout.flush()
    try:
        _import_parts()
        serve(settings, listener, lambda: _worker(settings, prepared=prepared))
    finally:
        processes.remove_folder()
    return 0


def _share_metrics(settings: Settings) -> None:
    """Let workers share their metrics. Raises OSError with one line that names the folder and its setting."""
    folder = settings.data_folder / f"metrics-{settings.port}"
    try:
        processes.share(folder, settings.workers)
    except OSError as error:
        raise OSError(f"DATA_FOLDER: {folder} can't hold the metrics of several workers: {error.strerror}") from error


def _import_parts() -> None:
    """Import what the service needs before workers are forked, so that they start at once and share its memory."""
    for name in ("resources", "web", "telemetry.metrics"):
        import_module(name)
    gc.collect()
    gc.freeze()


def _refuse(reason: str, code: int) -> int:
    sys.stderr.write(f"{reason}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
