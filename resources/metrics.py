"""/metrics: what Prometheus scrapes. HTTP metrics come from the processes, the collector's from the database."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pysqlite3.dbapi2 as sqlite
from flask import Response, request
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from alchemy import DatabaseUnavailable
from collector.backups.backups import newest as newest_copy
from collector.jobs.scheduled import JobRunner
from collector.runs.collector import Collector
from collector.x.failures import BLOCKING, KINDS
from middleware.encoding import compress_response
from queries.counters import ServiceMetrics, service_metrics
from queries.jobs import JobView, job_states
from queries.reconciliations import newest
from queries.spend import Outlook
from queries.tags import tracked_coverage
from resources.api import MonitorResource
from schemas.json_schema import PLAIN
from schemas.openapi.answers import DocumentedAnswer, answers
from schemas.serializers import MICRO
from settings import VERSION
from telemetry.metrics import HttpMetrics, scrape_registry

PREFIX = "twitterapi"


class MetricsResource(MonitorResource):
    """The metrics in the text format that the scraper accepts."""

    accepts = ("text/plain", "application/openmetrics-text", "text/html")
    gives = ("text/plain", "application/openmetrics-text")
    answers = answers(get=[DocumentedAnswer(200, "The metrics", PLAIN)])

    def __init__(self, collector: Collector, jobs: JobRunner, http: HttpMetrics) -> None:
        self._database_metrics, self._http = DatabaseCollector(collector, jobs), http

    def get(self) -> Any:
        """Give the metrics of this service, for Prometheus."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = encode(scrape_registry(self._http.registry, [self._database_metrics]))
        response = Response(body, content_type=content_type, headers={"Cache-Control": "no-store", "Vary": "Accept-Encoding"})
        return compress_response(response, above=0)


class DatabaseCollector:
    """Metrics read from the database at scrape, right whichever process collects; none while it can't be read."""

    def __init__(self, collector: Collector, jobs: JobRunner) -> None:
        self._collector, self._jobs, self._database = collector, jobs, collector.database

    def collect(self) -> Iterator[Metric]:
        """Give the metrics, as prometheus_client asks a collector for them."""
        build = {"version": VERSION, "python": platform.python_version(), "sqlite": sqlite.sqlite_version}
        info = GaugeMetricFamily(f"{PREFIX}_build_info", "What runs", labels=list(build))
        info.add_metric(list(build.values()), 1)
        yield info
        try:
            with self._database.reading() as session:
                metrics, money = service_metrics(session), self._collector.outlook(session)
                done, compared, covered = job_states(session), newest(session), tracked_coverage(session)
                planned_intervals = self._jobs.planned_intervals(session)
            size = self._database.size
        except DatabaseUnavailable:
            return
        yield _labelled_metric(GaugeMetricFamily, "tweets", "Tweets stored per tracked tag", "tag", metrics.tweets)
        outcomes = dict.fromkeys(KINDS, 0) | dict(metrics.x_requests)
        yield _labelled_metric(CounterMetricFamily, "x_requests", "Requests to X by outcome", "outcome", outcomes)
        yield _labelled_metric(CounterMetricFamily, "collections", "Collections that have ended", "state", metrics.collections)
        lost = metrics.gaps_expired
        yield _labelled_metric(GaugeMetricFamily, "gaps", "Gaps in what was collected, per tracked tag", "tag", metrics.gaps)
        yield _labelled_metric(
            GaugeMetricFamily, "gaps_expired", "Those that X doesn't reach any more, per tracked tag", "tag", lost
        )
        yield _labelled_metric(
            GaugeMetricFamily, "coverage_ratio", "Stored posts by those X counted, last seven days", "tag", covered
        )
        yield from _job_metrics(done, planned_intervals)
        if compared:
            yield GaugeMetricFamily(f"{PREFIX}_spend_drift_posts", "Posts X counted beyond the ledger's", value=compared.drift)
        yield _spend(money)
        yield from self._plain(metrics, money, size)

    def _plain(self, metrics: ServiceMetrics, money: Outlook, size: int) -> Iterator[Metric]:
        success = metrics.last_success.timestamp() if metrics.last_success else 0
        copy = newest_copy(self._database)
        budget, kept = self._collector.order.billing.budget, metrics.schedule
        values = {
            "collection_running": ("Whether a collection runs", float(metrics.running)),
            "collection_duration_seconds": ("Duration of the collection that ended last", metrics.last_duration),
            "collection_last_success_timestamp_seconds": ("When a collection last ended as done or partial", success),
            "collection_interval_seconds": (
                "How often collections are scheduled; 0 where they are not",
                kept.every if kept else 0,
            ),
            "collection_next_timestamp_seconds": ("When the schedule collects next", kept.due.timestamp() if kept else None),
            "billing_blocked": ("Whether X sells nothing now", float(any(kind in BLOCKING for kind in metrics.refused))),
            "budget_usd": ("What X may charge in a billing month at most", None if budget is None else budget / MICRO),
            "spend_unsettled_usd": ("What lost answers of this billing month may have cost at most", money.unsettled / MICRO),
            "spend_forecast_usd": ("Ceiling of this billing month if it goes on as lately", money.forecast / MICRO),
            "x_rate_limit_remaining": ("Requests that X's window still allows", metrics.rate_limit_remaining),
            "database_sequence": ("Grows with every change of what the API shows", metrics.sequence),
            "backup_size_bytes": ("Size of the newest scheduled copy", copy.bytes if copy else None),
            "database_size_bytes": ("Size of the database and its write-ahead log", size),
        }
        for name, (meaning, value) in values.items():
            if value is not None:
                yield GaugeMetricFamily(f"{PREFIX}_{name}", meaning, value=value)


def _job_metrics(done: Sequence[JobView], planned: Mapping[str, timedelta]) -> Iterator[Metric]:
    """Give the jobs that are planned, with 0 where they were never done, and those that were done."""
    succeeded = {job.name: job.succeeded.timestamp() for job in done if job.succeeded}
    has_failed = {job.name: float(job.has_failed) for job in done}
    metrics = {
        "job_interval_seconds": (
            "How often a scheduled job is done",
            {name: every.total_seconds() for name, every in planned.items()},
        ),
        "job_last_success_timestamp_seconds": ("When a scheduled job was last done", dict.fromkeys(planned, 0.0) | succeeded),
        "job_failed": ("Whether a scheduled job could not be done the last time", dict.fromkeys(planned, 0.0) | has_failed),
    }
    for name, (meaning, values) in metrics.items():
        yield _labelled_metric(GaugeMetricFamily, name, meaning, "scheduled_job", values)


def _spend(money: Outlook) -> Metric:
    spend = GaugeMetricFamily(f"{PREFIX}_spend_usd", "What X sold, by UTC day and billing month", labels=["period", "bound"])
    for period, spent in (("day", money.today), ("month", money.month)):
        spend.add_metric([period, "floor"], spent.floor / MICRO)
        spend.add_metric([period, "ceiling"], spent.ceiling / MICRO)
    return spend


def _labelled_metric(family: Any, name: str, meaning: str, label: str, values: Any) -> Metric:
    metric: Metric = family(f"{PREFIX}_{name}", meaning, labels=[label])
    for key, value in values.items():
        metric.add_metric([key], value)  # type: ignore[attr-defined]
    return metric
