"""HTML pages: their routes, and what their templates can use."""

from __future__ import annotations

from flask import Flask

from collector.runs.collector import Collector
from queries.gaps import snowflake_time
from queries.newest import Newest
from schemas.times import rfc3339
from security.guard import Guard
from settings import Settings
from telemetry.metrics import HttpMetrics
from web import charts, docs, responses, sign_in, static_files, status, words
from web.site import Program, Site
from web.views import collections, figure_files, health, overview, search, tags

FORMATS = (
    "number",
    "share",
    "change",
    "times",
    "moment",
    "day",
    "duration",
    "plural",
    "dollars",
    "sentence",
    "tweet_text",
    "plain",
)


def register(app: Flask, collector: Collector, newest: Newest, guard: Guard, metrics: HttpMetrics, settings: Settings) -> None:
    """Add the pages and the files that they load."""
    urls = {"Grafana": settings.grafana_url, "Kibana": settings.kibana_url, "Prometheus": settings.prometheus_url}
    programs = tuple(Program(name, url) for name, url in urls.items() if url)
    site = Site(collector, newest, guard, metrics, programs, settings.query_timeout)
    _extend_templates(app)
    for view in (overview, search, tags, collections, health, figure_files, docs, sign_in):
        view.register(app, site)
    responses.register(app, site.is_invented)
    static_files.register(app)


def _extend_templates(app: Flask) -> None:
    environment = app.jinja_env
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= {name: getattr(words, name) for name in FORMATS}
    environment.filters |= {"advice": status.advice, "rfc3339": rfc3339, "polyline": charts.polyline, "id_time": snowflake_time}
    environment.tests["link"] = charts.is_link
    environment.globals |= {
        "html_lang": words.html_lang,
        "highest": charts.highest,
        "merge_marks": charts.merge_marks,
        "uplot": static_files.UPLOT,
    }
