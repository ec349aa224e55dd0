"""The metrics of HTTP as prometheus-flask-exporter defines them, with its faults put right.

It would take any method as a label, group by the path as it was sent, time a streamed response when its headers are made, and
look labels up with each request. Here the labels are bounded, present at 0 from the start, and a stream is timed to its end.

prometheus_client decides at its import whether several processes share their figures (PROMETHEUS_MULTIPROC_DIR), so
whoever serves with several imports this module late.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterable
from typing import Any

from flask import Flask, Request, Response, g, request
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_flask_exporter import PrometheusMetrics
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHER, UNKNOWN = "other", "unknown"
UNREAD = ("400", "408", "413", "431", "501")
COMMON_STATUSES = ("200", "400", "500", "503")

Labels = tuple[str, str, str]


def url_rule(asked: Request) -> str:
    """Return the route's template: one label value a route, whatever was asked."""
    return asked.url_rule.rule if asked.url_rule else UNKNOWN


class HttpMetrics:
    """The exporter's metrics of one app, in a registry of their own."""

    def __init__(self, app: Flask) -> None:
        self.registry = CollectorRegistry()
        exporter = PrometheusMetrics(None, path=None, registry=self.registry)
        exporter.export_defaults(group_by=url_rule, app=_Unhooked())
        self._duration, self._total = (self._metric(name) for name in ("request_duration_seconds", "request"))
        self._children: dict[Labels, tuple[Any, Any]] = {}
        app.after_request(self._measured)

    def start_at_zero(self, app: Flask) -> None:
        """Create the label sets that will come: a counter that is born in a burst has no increase."""
        for method in METHODS:
            self._of((method, UNKNOWN, "404"))
            self._total.labels(method=method, status="401")
        for status in UNREAD:
            self._total.labels(method=OTHER, status=status)
        for rule in app.url_map.iter_rules():
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                for status in COMMON_STATUSES:
                    self._of((method, rule.rule, status))

    def refused(self, status: int) -> None:
        """Count a request that never reached the app: nobody knows how long it took, or what it was."""
        self._total.labels(method=OTHER, status=str(status)).inc()

    def _measured(self, response: Response) -> Response:
        """Measure the request: now, or when the last byte of a stream is sent."""
        method = request.method if request.method in METHODS else OTHER
        duration, total = self._of((method, url_rule(request), str(response.status_code)))
        started = g.get("started") or time.perf_counter_ns()

        def measure() -> None:
            duration.observe((time.perf_counter_ns() - started) / 1e9)
            total.inc()

        if response.is_streamed:
            response.call_on_close(measure)
        else:
            measure()
        return response

    def _of(self, labels: Labels) -> tuple[Any, Any]:
        """Return the histogram and the counter of these labels, which are bounded."""
        found = self._children.get(labels)
        if found is None:
            method, rule, status = labels
            duration = self._duration.labels(method=method, url_rule=rule, status=status)
            found = self._children[labels] = duration, self._total.labels(method=method, status=status)
        return found

    def _metric(self, name: str) -> Any:
        return self.registry._names_to_collectors[f"flask_http_{name}"]


class _Unhooked:
    """Stands in for the app where the exporter would hook itself in: what it defines is measured here."""

    def before_request(self, _hook: Any) -> None: ...

    after_request = teardown_request = before_request


class _Shared(MultiProcessCollector):
    """The figures of all processes. A file that a process has just created is empty for a moment, and is waited for."""

    @retry(retry=retry_if_exception_type(struct.error), wait=wait_fixed(0.01), stop=stop_after_delay(1), reraise=True)
    def collect(self) -> Any:
        return super().collect()  # type: ignore[no-untyped-call]


def scraped(own: CollectorRegistry, more: Iterable[Any]) -> CollectorRegistry:
    """Return a registry to answer a scrape from: all processes' figures where they are shared, and `more` collectors."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        _Shared(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(own)
    for collector in more:
        registry.register(collector)
    return registry
