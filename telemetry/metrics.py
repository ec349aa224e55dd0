"""The metrics of HTTP as prometheus-flask-exporter defines them, with its faults put right.

It would take any method as a label, group by the path as it was sent, time a streamed response when its headers are made, and
look labels up with each request. Here the labels are bounded, and a stream is timed to its end.

prometheus_client decides at its import whether several processes share their metrics (telemetry/processes.py), so whoever
serves with several imports this module late.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics

from telemetry.processes import SharedMetrics, is_shared

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHER, UNKNOWN = "other", "unknown"
MOST_LABELS = 200  # of one process; what has more is asked for nothing that anybody looks at
COMMON_STATUSES = ("200", "400", "401", "404", "500", "503")

Labels = tuple[str, str | None, int]


class HttpMetrics:
    """The exporter's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        exporter = PrometheusMetrics(None, path=None, registry=self.registry)
        exporter.export_defaults(group_by="url_rule", app=_Unhooked())
        self._duration, self._total = (self._metric(name) for name in ("request_duration_seconds", "request"))
        self._children: dict[Labels, tuple[Any, Any]] = {}
        for method in METHODS:  # a counter that is born in a burst has no increase
            for status in COMMON_STATUSES:
                self._total.labels(method=method, status=status)

    def observe(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request that was answered, and how long that took. The labels are bounded, whatever was asked."""
        labels = method, route, status
        found = self._children.get(labels)
        if found is None:
            method = method if method in METHODS else OTHER
            labels = (method, route, status) if len(self._children) < MOST_LABELS else (OTHER, None, status)
            found = self._children.get(labels) or self._children.setdefault(labels, self._born(*labels))
        duration, total = found
        duration.observe(seconds)
        total.inc()

    def _born(self, method: str, route: str | None, status: int) -> tuple[Any, Any]:
        """Return the histogram and the counter of these labels."""
        duration = self._duration.labels(method=method, url_rule=route or UNKNOWN, status=str(status))
        return duration, self._total.labels(method=method, status=str(status))

    def _metric(self, name: str) -> Any:
        return self.registry._names_to_collectors[f"flask_http_{name}"]


class _Unhooked:
    """Stands in for the app where the exporter would hook itself in: what it defines is measured here."""

    def before_request(self, _hook: Any) -> None: ...

    after_request = teardown_request = before_request


def scrape_registry(own: CollectorRegistry, more: Iterable[Any]) -> CollectorRegistry:
    """Return a registry to answer a scrape from: all processes' metrics where they are shared, and `more` collectors."""
    registry = CollectorRegistry()
    registry.register(SharedMetrics() if is_shared() else own)
    for collector in more:
        registry.register(collector)
    return registry
