"""The metrics of log shipping, and the callbacks by which telemetry/shipping.py reports to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge

REASONS = ("queue-full", "shutdown")


class Delivery(NamedTuple):
    """Callbacks for the number of records sent, dropped (with one of REASONS), and waiting."""

    sent: Callable[[int], None]
    dropped: Callable[[str, int], None]
    queued: Callable[[int], None]


UNCOUNTED = Delivery(lambda _count: None, lambda _reason, _count: None, lambda _count: None)


class LogMetrics:
    """Records sent, dropped and waiting, over all processes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sent = Counter("twitterapi_log_records_sent", "Log records that were handed to Logstash", registry=registry)
        self._dropped = Counter(
            "twitterapi_log_records_dropped", "Log records that Logstash never got", ["reason"], registry=registry
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
