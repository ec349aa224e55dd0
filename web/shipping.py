"""How the log records fare on their way to Logstash, over all processes of the service."""

from __future__ import annotations

from typing import NamedTuple

from telemetry.metrics import HttpMetrics, scrape_registry

PREFIX = "twitterapi_log_"


class Shipping(NamedTuple):
    """Whether records are shipped, and how many were sent, were dropped, and wait since the service started."""

    enabled: bool
    sent: int
    dropped: int
    queued: int


def shipping(metrics: HttpMetrics) -> Shipping:
    """Return the state, from the metrics that Prometheus scrapes."""
    found: dict[str, float] = {}
    for metric in scrape_registry(metrics.registry, []).collect():
        if metric.name.startswith(PREFIX):
            values = [sample.value for sample in metric.samples if not sample.name.endswith("_created")]
            found[metric.name.removeprefix(PREFIX)] = sum(values)
    whole = {name: int(found.get(name, 0)) for name in ("records_sent", "records_dropped", "queue_records")}
    return Shipping(bool(found.get("shipping_enabled")), *whole.values())
