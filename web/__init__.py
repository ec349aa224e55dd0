"""HTML pages: their routes, and what their templates can use."""

from __future__ import annotations

from functools import partial, update_wrapper

from flask import Flask

from collector.runs.collector import Collector
from queries.filters import next_second
from queries.gaps import snowflake_time
from queries.newest import Newest
from schemas.times import rfc3339
from security.guard import FINISH_PAGE, Guard, page
from settings import Settings
from telemetry.metrics import HttpMetrics
from text import phrases
from text.advice import advice
from watches.destinations import Destinations
from watches.sending import Render
from watches.trying import WatchTrials
from web import charts, sign_in, static_files, words
from web.site import Site, no_page
from web.views import (
    backfill,
    collections,
    compare,
    feeds,
    health,
    links,
    overview,
    refresh,
    saved,
    schedule,
    search,
    spike,
    tags,
    tweet,
    watches,
)

VIEWS = (
    overview,
    spike,
    search,
    tweet,
    links,
    tags,
    compare,
    collections,
    schedule,
    backfill,
    refresh,
    watches,
    feeds,
    saved,
    health,
)
PAGES = (*(route for view in VIEWS for route in view.ROUTES), static_files.DOCS, ("/view/<path:path>", no_page, "GET"))
NUMBERS = ("number", "compact", "share", "change", "direction", "times", "plural", "dollars")
DRAWN = ("bars", "heat_level", "stacked_bars", "tag_class")
TIMES = ("moment", "clock", "day", "duration", "age", "sentence")
TEXTS = ("tweet_text", "plain", "reactions")


def register(
    app: Flask,
    collector: Collector,
    newest: Newest,
    guard: Guard,
    metrics: HttpMetrics,
    settings: Settings,
    destinations: Destinations,
    trials: WatchTrials,
    write: Render,
) -> None:
    """Add the pages and the files that they load."""
    programs = _programs(settings)
    refreshes = settings.refresh == "same-day"
    limits = programs, settings.query_timeout, refreshes, settings.local_site, settings.setup_state
    site = Site(collector, newest, guard, metrics, *limits, destinations, trials, write)
    for path, view, method in PAGES:
        page(app, path, update_wrapper(partial(view, site), view), methods=[method])
    for path, view, method in sign_in.ROUTES:
        app.add_url_rule(path, view.__name__, partial(view, site), methods=[method])
    app.add_url_rule("/static/<path:filename>", "static", static_files.static)
    app.extensions[FINISH_PAGE] = site.render_problem
    _extend_templates(app)


def _programs(settings: Settings) -> dict[str, str]:
    """The addresses of other programs for people, by name: one that is set, or else a port of this machine."""
    known = {
        "Grafana": (settings.grafana_url, settings.grafana_port),
        "Kibana": (settings.kibana_url, settings.kibana_port),
        "Prometheus": (settings.prometheus_url, settings.prometheus_port),
    }
    return {name: url or f"http://127.0.0.1:{port}" for name, (url, port) in known.items() if url or port}


def _extend_templates(app: Flask) -> None:
    environment = app.jinja_env
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= {name: getattr(phrases, name) for name in (*NUMBERS, *TIMES)}
    environment.filters |= {name: getattr(words, name) for name in TEXTS}
    environment.filters |= {name: getattr(charts, name) for name in DRAWN}
    environment.filters |= {"advice": advice, "rfc3339": rfc3339, "id_time": snowflake_time, "whole_second": next_second}
    environment.globals |= {"html_lang": words.html_lang, "as_of": phrases.as_of, "uplot": static_files.UPLOT}
