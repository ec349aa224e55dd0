"""The page for people."""

from __future__ import annotations

from flask import Flask

from collector.runs.collector import Collector
from queries.newest import Newest
from security.guard import Guard
from settings import Settings
from telemetry.metrics import HttpMetrics
from web import docs, drawing, problems, sign_in, static_files
from web.site import Outside, Site
from web.views import author, collecting, collections, files, health, nothing, overview, search, tags


def register(app: Flask, collector: Collector, newest: Newest, guard: Guard, metrics: HttpMetrics, settings: Settings) -> None:
    """Give the app its pages and the files that they load."""
    site = Site(collector, newest, guard, metrics, tuple(_outside(settings)), settings.query_timeout)
    drawing.register(app)
    problems.register(app, site)
    for view in (overview, search, author, tags, collections, collecting, health, files, nothing):
        view.register(app, site)
    docs.register(app, site)
    sign_in.register(app, site)
    static_files.register(app)


def _outside(settings: Settings) -> list[Outside]:
    """Return the other programs that are configured."""
    urls = {"Grafana": settings.grafana_url, "Kibana": settings.kibana_url, "Prometheus": settings.prometheus_url}
    return [Outside(name, url) for name, url in urls.items() if url]
