"""The metrics that Prometheus scrapes. HTTP metrics come from the processes, the collector's from the database."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pysqlite3.dbapi2 as sqlite
from flask import Response, request
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from alchemy import DatabaseUnavailable
from collector.backups.backups import newest as newest_backup
from collector.jobs.scheduled import JobRunner
from collector.runs.collector import Collector
from collector.x.failures import BLOCKING, ENDPOINTS, KINDS
from collector.x.parsing import REQUIRED_FIELDS
from queries.billing import BillingDays
from queries.notifications import DestinationState, destination_states, notification_counts
from queries.service import JobView, ServiceMetrics, job_states, service_metrics
from queries.spend import Outlook, UsageComparison, newest_comparison
from queries.tags import tracked_coverage
from resources.api import MonitorResource
from schemas.json_schema import PLAIN, DocumentedAnswer, answers
from schemas.serializers import MICRO
from security.answers import compress_response
from settings import VERSION
from telemetry.metrics import HttpMetrics, scrape_registry
from watches.destinations import Destinations

PREFIX = "twitterapi"

Values = Mapping[Any, float]


class MetricsResource(MonitorResource):
    """The metrics in the text format that the client accepts."""

    accepts = ("text/plain", "application/openmetrics-text", "text/html")
    gives = ("text/plain", "application/openmetrics-text")
    answers = answers(get=[DocumentedAnswer(200, "The metrics", PLAIN)])

    def __init__(self, collector: Collector, jobs: JobRunner, http: HttpMetrics, destinations: Destinations) -> None:
        self._database_metrics, self._http = DatabaseCollector(collector, jobs, destinations), http

    def get(self) -> Any:
        """Show the metrics of this service, for Prometheus."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = encode(scrape_registry(self._http.registry, [self._database_metrics]))
        response = Response(body, content_type=content_type, headers={"Cache-Control": "no-store", "Vary": "Accept-Encoding"})
        return compress_response(response, above=0)


class DatabaseCollector:
    """Metrics that are read from the database at each scrape, so that any process may collect; none while it can't be read."""

    def __init__(self, collector: Collector, jobs: JobRunner, destinations: Destinations) -> None:
        self._collector, self._jobs, self._database = collector, jobs, collector.database
        self._destinations = destinations

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; prometheus_client calls this at each scrape."""
        build = {"version": VERSION, "python": platform.python_version(), "sqlite": sqlite.sqlite_version}
        yield _metric("build_info", "Versions of the service, Python and SQLite", {tuple(build.values()): 1}, *build)
        try:
            with self._database.reading() as session:
                metrics, money = service_metrics(session), self._collector.outlook(session)
                begins = self._collector.billing_days(session)
                jobs, compared, coverage = job_states(session), newest_comparison(session), tracked_coverage(session)
                planned = {name: every.total_seconds() for name, every in self._jobs.planned_intervals(session).items()}
                told = notification_counts(session, self._destinations.names)
                destinations = destination_states(session, self._destinations.names)
            size = self._database.size
        except DatabaseUnavailable:
            return
        yield from _tag_metrics(metrics, coverage)
        yield from _job_metrics(jobs, planned)
        yield from _spend_metrics(money, budget=self._collector.order.billing.budget, compared=compared)
        yield from _billing_day_metrics(begins)
        yield from _collection_metrics(metrics)
        yield from _notification_metrics(told, destinations)
        backup = newest_backup(self._database)
        yield _metric("database_sequence", "Number of changes of what the API shows", metrics.sequence)
        yield _metric("database_size_bytes", "Size of the database and its write-ahead log", size)
        if backup:
            yield _metric("backup_size_bytes", "Size of the newest scheduled backup", backup.bytes)


def _tag_metrics(metrics: ServiceMetrics, coverage: Values) -> Iterator[Metric]:
    yield _metric("tweets", "Tweets stored per tracked tag", metrics.tweets, "tag")
    yield _metric("gaps", "Gaps in the collected tweets, per tracked tag", metrics.gaps, "tag")
    lost = "Gaps that X's recent search no longer reaches, per tracked tag"
    yield _metric("gaps_expired", lost, metrics.gaps_expired, "tag")
    late = "Posts that became searchable after a poll had passed them, per tracked tag"
    yield _metric("late_posts", late, metrics.late_posts, "tag", family=CounterMetricFamily)
    yield _metric("look_back_seconds", "How far below a poll late posts are looked for", metrics.look_back_seconds, "tag")
    yield _metric("coverage_ratio", "Stored posts divided by those that X counted, last seven days", coverage, "tag")


def _job_metrics(jobs: Sequence[JobView], planned: Mapping[str, float]) -> Iterator[Metric]:
    """Yield the metrics of planned jobs, 0 for those that never succeeded, and of jobs that ran earlier.

    A job that needs what X does not offer the account has none, so that nobody is alerted to what nobody can do.
    """
    withheld = {job.name for job in jobs if not job.is_offered}
    planned = {name: every for name, every in planned.items() if name not in withheld}
    jobs = [job for job in jobs if job.is_offered]
    never = dict.fromkeys(planned, 0.0)
    succeeded = never | {job.name: job.succeeded.timestamp() for job in jobs if job.succeeded}
    has_failed = never | {job.name: float(job.has_failed) for job in jobs}
    yield _metric("job_interval_seconds", "Interval of a scheduled job", planned, "scheduled_job")
    time = "Time of the last success of a scheduled job"
    yield _metric("job_last_success_timestamp_seconds", time, succeeded, "scheduled_job")
    yield _metric("job_failed", "Whether the last run of a scheduled job failed", has_failed, "scheduled_job")


def _spend_metrics(money: Outlook, *, budget: int | None, compared: UsageComparison | None) -> Iterator[Metric]:
    periods = {"day": money.today, "month": money.month}
    spent = {(name, "floor"): period.floor / MICRO for name, period in periods.items()}
    spent |= {(name, "ceiling"): period.ceiling / MICRO for name, period in periods.items()}
    yield _metric("spend_usd", "Spend of the UTC day and of the billing month", spent, "period", "bound")
    lost = "The most that requests of this billing month whose answers were lost may have cost"
    yield _metric("spend_unsettled_usd", lost, money.unsettled / MICRO)
    forecast = "Ceiling of this billing month if spending continues as in the last seven days"
    yield _metric("spend_forecast_usd", forecast, money.forecast / MICRO)
    if budget is not None:
        yield _metric("budget_usd", "The most that X may charge in a billing month", budget / MICRO)
    if compared:
        yield _metric("spend_drift_posts", "X's count of sold posts minus the ledger's", compared.drift)


def _billing_day_metrics(begins: BillingDays) -> Iterator[Metric]:
    known = {"setting": begins.setting, "x": begins.by_x, "earlier": begins.earlier}
    days = {by: float(day) for by, day in known.items() if day is not None}
    yield _metric(
        "billing_day", "Day on which a billing month begins against which the budget holds, by who says it", days, "by"
    )
    yield _metric("billing_day_disagrees", "Whether BILLING_DAY is not the day that X names", float(begins.disagrees))


def _collection_metrics(metrics: ServiceMetrics) -> Iterator[Metric]:
    requests, names = dict.fromkeys(product(ENDPOINTS, KINDS), 0) | dict(metrics.x_requests), ("endpoint", "outcome")
    yield _metric("x_requests", "Requests to X by endpoint and outcome", requests, *names, family=CounterMetricFamily)
    endless = "Listings that were left because X does not end them"
    yield _metric("endless_listings", endless, metrics.endless_listings, family=CounterMetricFamily)
    ended = "Collections that have ended"
    yield _metric("collections", ended, metrics.collections, "state", family=CounterMetricFamily)
    yield _metric("collection_running", "Whether a collection runs", float(metrics.running))
    success = metrics.last_success.timestamp() if metrics.last_success else 0
    ended_well = "Time at which a collection last ended as done or partial"
    yield _metric("collection_last_success_timestamp_seconds", ended_well, success)
    planned = metrics.schedule
    interval = "Interval of scheduled collections; 0 without a schedule"
    yield _metric("collection_interval_seconds", interval, planned.every if planned else 0)
    if planned:
        next_one = "Time of the next scheduled collection"
        yield _metric("collection_next_timestamp_seconds", next_one, planned.due.timestamp())
    stopped = "Whether reading the day's tweets again went off by itself"
    yield _metric("refresh_off", stopped, float(metrics.refresh_off))
    yield _metric("authors_waiting", "Authors who are still to be read by their ids", metrics.authors_waiting)
    if metrics.last_duration is not None:
        yield _metric("collection_duration_seconds", "Duration of the collection that ended last", metrics.last_duration)
    blocked = float(any(kind in BLOCKING for kind in metrics.refused))
    yield _metric("billing_blocked", "Whether X currently refuses every paid request", blocked)
    lacking = dict.fromkeys(REQUIRED_FIELDS, 0.0) | dict.fromkeys(metrics.missing_fields, 1.0)
    yield _metric("x_field_missing", "Whether X gave a field with none of the newest posts", lacking, "field")
    if metrics.rate_limit_remaining is not None:
        allowed = "Requests that X still allows in the current window"
        yield _metric("x_rate_limit_remaining", allowed, metrics.rate_limit_remaining)


def _notification_metrics(told: Values, destinations: Sequence[DestinationState]) -> Iterator[Metric]:
    """Yield what became of tries, and what waits."""
    tries = "Tries to send a message by their outcome, and messages that were given up after a day"
    yield _metric("notifications", tries, told, "destination", "outcome", family=CounterMetricFamily)
    waiting = {one.name: float(one.waiting) for one in destinations}
    yield _metric("notifications_waiting", "Messages that wait to be sent", waiting, "destination")
    oldest = {one.name: _age(one.waiting_since) for one in destinations}
    yield _metric("notifications_waiting_seconds", "Age of the oldest message that waits", oldest, "destination")
    failing = {one.name: _age(one.failing_since) for one in destinations}
    meaning = "Age of the oldest message that waits because a try failed"
    yield _metric("notifications_failing_seconds", meaning, failing, "destination")


def _age(since: datetime | None) -> float:
    """Return the seconds since a time, 0 without one."""
    return max(0.0, (datetime.now(UTC) - since).total_seconds()) if since else 0.0


def _metric(name: str, meaning: str, values: Values | float, *labels: str, family: Any = GaugeMetricFamily) -> Metric:
    """Return a metric: a value, or values by the value of its label, or by the values of its labels."""
    metric: Metric = family(f"{PREFIX}_{name}", meaning, labels=labels)
    for key, value in (values if isinstance(values, Mapping) else {(): values}).items():
        metric.add_metric([key] if isinstance(key, str) else key, value)  # type: ignore[attr-defined]
    return metric
