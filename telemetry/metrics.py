"""The metrics of HTTP, as prometheus-flask-exporter defines them, but measured by telemetry/requests.py; those of log shipping.

The exporter's own hooks accept any method as a label, time a streamed response when its headers are made, and look labels up
for each request. Here labels are bounded and cached, and a stream is timed to its end.

prometheus_client decides at its import whether processes share their metrics (telemetry/processes.py). The process that starts
workers therefore imports this module late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask import Flask
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_flask_exporter import PrometheusMetrics

from telemetry.processes import SharedMetrics, inherited_metrics, is_shared

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHER, UNKNOWN = "other", "unknown"
MOST_LABELS = 200
COMMON_STATUSES = ("200", "400", "401", "404", "500", "503")
DURATION, TOTAL = "flask_http_request_duration_seconds", "flask_http_request"

Labels = tuple[str, str | None, int]
REASONS = ("queue-full", "shutdown")


class HttpMetrics:
    """The exporter's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = NamedMetrics()
        exporter = PrometheusMetrics(None, path=None, registry=self.registry)
        exporter.export_defaults(group_by="url_rule", app=Flask("unserved"))  # its hooks, which measure, are never called
        self._duration, self._total = self.registry.named[DURATION], self.registry.named[TOTAL]
        self._children: dict[Labels, tuple[Any, Any]] = {}
        for method in METHODS:  # a counter that first appears in a burst shows no increase
            for status in COMMON_STATUSES:
                self._total.labels(method=method, status=status)
        self._restore_children()

    def observe(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count an answered request and its duration. Beyond MOST_LABELS, method and route are merged into one label each."""
        labels = method, route, status
        children = self._children.get(labels)
        if children is None:
            method = method if method in METHODS else OTHER
            labels = (method, route, status) if len(self._children) < MOST_LABELS else (OTHER, None, status)
            children = self._children.get(labels) or self._add_children(*labels)
        duration, total = children
        duration.observe(seconds)
        total.inc()

    def _add_children(self, method: str, route: str | None, status: int) -> tuple[Any, Any]:
        """Create the histogram and the counter of these labels, and return them."""
        duration = self._duration.labels(method=method, url_rule=route or UNKNOWN, status=str(status))
        children = duration, self._total.labels(method=method, status=str(status))
        return self._children.setdefault((method, route, status), children)

    def _restore_children(self) -> None:
        """Add the labels that the slot's earlier owners used, so that the bound holds for all of them together."""
        for family in inherited_metrics():
            for sample in family.samples:
                if sample.name == f"{DURATION}_count":
                    method, route, status = (sample.labels[name] for name in ("method", "url_rule", "status"))
                    self._add_children(method, None if route == UNKNOWN else route, int(status))


class NamedMetrics(CollectorRegistry):
    """A registry that also finds its metrics by name."""

    def __init__(self) -> None:
        self.named: dict[str, Any] = {}
        super().__init__()

    def register(self, collector: Any) -> None:
        super().register(collector)
        self.named |= {family.name: collector for family in collector.describe()}


def scrape_registry(own: CollectorRegistry, more: Iterable[Any]) -> CollectorRegistry:
    """Return a registry for one scrape: the metrics of all processes if they are shared, and `more` collectors."""
    registry = CollectorRegistry()
    registry.register(SharedMetrics() if is_shared() else own)
    for collector in more:
        registry.register(collector)
    return registry


class Delivery(NamedTuple):
    """Callbacks for the number of records sent, dropped (with one of REASONS), and waiting."""

    sent: Callable[[int], None]
    dropped: Callable[[str, int], None]
    queued: Callable[[int], None]


UNCOUNTED = Delivery(lambda _count: None, lambda _reason, _count: None, lambda _count: None)


class LogMetrics:
    """Records sent, dropped and waiting, over all processes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sent = Counter("twitterapi_log_records_sent", "Log records that were sent to Logstash", registry=registry)
        self._dropped = Counter(
            "twitterapi_log_records_dropped", "Log records that did not reach Logstash", ["reason"], registry=registry
        )
        self._queued = Gauge(
            "twitterapi_log_queue_records", "Log records that wait to be sent", registry=registry, multiprocess_mode="livesum"
        )
        self._enabled = Gauge(
            "twitterapi_log_shipping_enabled", "Whether LOGSTASH_HOST is set", registry=registry, multiprocess_mode="livemax"
        )
        for reason in REASONS:
            self._dropped.labels(reason)

    @property
    def delivery(self) -> Delivery:
        """The callbacks that update these metrics."""
        return Delivery(self._sent.inc, lambda reason, count: self._dropped.labels(reason).inc(count), self._queued.set)

    def set_enabled(self, enabled: bool) -> None:
        """Record whether records are shipped at all."""
        self._enabled.set(enabled)
