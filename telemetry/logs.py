"""The metrics of log shipping."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from telemetry.delivery import Delivery

REASONS = ("queue-full", "shutdown")


class LogMetrics:
    """Records sent and dropped, and how many wait, over all processes."""

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
        """What the handler reports to."""
        return Delivery(self._sent.inc, lambda reason, count: self._dropped.labels(reason).inc(count), self._queued.set)

    def set_enabled(self, shipping: bool) -> None:
        """Note whether records are shipped at all."""
        self._enabled.set(shipping)
