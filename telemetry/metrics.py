"""The metrics of HTTP by prometheus-flask-exporter, with its three faults put right.

It would take any method as a label, group by the path as it was sent, and time a streamed response when its headers are
made. Here the labels are bounded, present at 0 from the start, and a stream is timed to its end.

prometheus_client decides at its import whether several processes share their figures (PROMETHEUS_MULTIPROC_DIR), so
whoever serves with several imports this module late.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Request, Response, copy_current_request_context, request
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_flask_exporter import PrometheusMetrics

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHER, UNKNOWN = "other", "unknown"
COMMON_STATUSES = ("200", "400", "500", "503")


def url_rule(asked: Request) -> str:
    """Return the route's template: one label value a route, whatever was asked."""
    return asked.url_rule.rule if asked.url_rule else UNKNOWN


class HttpMetrics:
    """The exporter's metrics of one app, in a registry of their own."""

    def __init__(self, app: Flask) -> None:
        self.registry = CollectorRegistry()
        hooks = _Hooks()
        exporter = PrometheusMetrics(None, path=None, registry=self.registry)
        exporter.export_defaults(group_by=url_rule, app=hooks)
        self._duration, self._total = (self._metric(name) for name in ("request_duration_seconds", "request"))
        app.before_request(hooks.before)
        app.after_request(lambda response: _measured(hooks.after, response))

    def start_at_zero(self, app: Flask) -> None:
        """Create the label sets that will come: a counter that is born in a burst has no increase."""
        for method in METHODS:
            self._duration.labels(method=method, url_rule=UNKNOWN, status="404")
            self._total.labels(method=method, status="404")
        for rule in app.url_map.iter_rules():
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                for status in COMMON_STATUSES:
                    self._duration.labels(method=method, url_rule=rule.rule, status=status)
                    self._total.labels(method=method, status=status)

    def _metric(self, name: str) -> Any:
        return self.registry._names_to_collectors[f"flask_http_{name}"]


class _Hooks:
    """Stands in for the app when the exporter registers its hooks, so that they can be called when it is time."""

    before: Callable[[], None]
    after: Callable[[Response], Response]

    def before_request(self, hook: Callable[[], None]) -> None:
        self.before = hook

    def after_request(self, hook: Callable[[Response], Response]) -> None:
        self.after = hook

    def teardown_request(self, _hook: Callable[[BaseException | None], None]) -> None:
        """Leave out: no exception gets there, for every one is answered as a problem."""


def _measured(measure: Callable[[Response], Response], response: Response) -> Response:
    """Let the exporter measure: now, or when the last byte of a stream is sent."""
    if response.is_streamed:
        later = copy_current_request_context(_bounded)
        response.call_on_close(lambda: later(measure, response))
        return response
    return _bounded(measure, response)


def _bounded(measure: Callable[[Response], Response], response: Response) -> Response:
    """Measure with a method that is one of the known ones, whatever the client sent."""
    sent = request.method
    request.method = sent if sent in METHODS else OTHER
    try:
        return measure(response)
    finally:
        request.method = sent


def scraped(own: CollectorRegistry, more: Iterable[Any]) -> CollectorRegistry:
    """Return a registry to answer a scrape from: all processes' figures where they are shared, and `more` collectors."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(own)
    for collector in more:
        registry.register(collector)
    return registry
