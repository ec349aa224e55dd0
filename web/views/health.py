"""/view/health: the status of each part of the service, and links to other programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask import Response, request
from sqlalchemy.orm import Session

from collector.backups.backups import newest as newest_copy
from collector.ledger.ledger import SMALLEST_PAGE
from collector.refresh.same_day import RefreshStopped, missed_day
from collector.runs.collector import Collector
from collector.sources import EMULATOR, SourceRefused, require
from collector.x.failures import BLOCKING, FIELDS, OK
from queries.counters import missing_fields, x_now
from queries.notifications import destination_states, notification_counts
from queries.refreshing import refresh_off
from queries.service import ServiceMetrics, job_states, service_metrics
from queries.spend import spend_finding
from queries.tweets import tweet_count
from security.answers import REPEAT
from settings import VERSION
from telemetry.metrics import HttpMetrics, scrape_registry
from telemetry.setups import unready
from text.advice import advice
from text.phrases import day, moment, number, plural, sentence
from web.site import Route, Site, tidy_redirect
from web.status import Level, Part, collection_status, outdated, x_trouble

CHECK_LOGSTASH = "Check whether Logstash answers at LOGSTASH_HOST. The standard output has every record."
CHECK_DESTINATION = (
    "Messages are tried again for a day. Check the service and its URL in NOTIFY_URLS; “Test” of a watch tries it at once."
)
REFRESH = "Second look"
MISSED = (
    "The service must run at some time from 22:00 to 23:30 UTC. The page Read tweets again, which Schedule links to, reads "
    "them for a price."
)
CHECK_SETUP = "If this stays, `docker compose logs {0}-setup` says why; `docker compose up -d` tries it again."
LOG_METRICS = "twitterapi_log_"


class Shipping(NamedTuple):
    """Whether log records are shipped to Logstash, and how many were sent, dropped and are queued since the start."""

    enabled: bool
    sent: int
    dropped: int
    queued: int


def health(site: Site) -> Response:
    """Show each part's status, the most important first."""
    if redirect := tidy_redirect():
        return redirect
    zone, database = site.zone(), site.collector.database
    with site.reading() as session:
        facts: dict[str, Any] = {
            "backend": database.backend_name,
            "size": database.size,
            "tweets": tweet_count(session),
            "backup": newest_copy(database),
            "version": VERSION,
        }
        shown = parts(session, site.collector, shipping(site.metrics), zone, refreshes=site.refreshes)
        shown += [*_links(site.local_site), *_setups(site.setup_state)]
        del request.environ[REPEAT]  # the state of shipping comes from metrics, so the page can't be cached
        return site.page("health.html", session, zone, parts=shown, facts=facts, programs=site.programs)


def shipping(metrics: HttpMetrics) -> Shipping:
    """Return the state of log shipping over all processes, from the metrics that Prometheus scrapes."""
    found: dict[str, float] = {}
    for metric in scrape_registry(metrics.registry, []).collect():
        if metric.name.startswith(LOG_METRICS):
            values = [sample.value for sample in metric.samples if not sample.name.endswith("_created")]
            found[metric.name.removeprefix(LOG_METRICS)] = sum(values)
    sent, dropped, queued = (int(found.get(name, 0)) for name in ("records_sent", "records_dropped", "queue_records"))
    return Shipping(bool(found.get("shipping_enabled")), sent, dropped, queued)


def parts(session: Session, collector: Collector, shipped: Shipping, zone: ZoneInfo, *, refreshes: bool) -> list[Part]:
    """Return the status of all parts, the most important first."""
    metrics = service_metrics(session)
    return [
        *_database(collector),
        collection_status(session, zone),
        _schedule(metrics, zone),
        _x(session, metrics, collector, zone),
        _budget(session, collector),
        *_billing_day(session, collector),
        *_refresh(session, zone, refreshes=refreshes),
        *_jobs(session, zone),
        *_destinations(session, zone),
        _logs(shipped),
    ]


def _database(collector: Collector) -> Iterator[Part]:
    if collector.read_only:
        state = "No primary of the database has answered since the start. Stored tweets can be read; nothing is collected."
        yield Part("Database", Level.BROKEN, state, "The service continues by itself once a primary answers.")


def _schedule(metrics: ServiceMetrics, zone: ZoneInfo) -> Part:
    schedule, ended = metrics.schedule, metrics.last_success
    last = f"The last successful collection ended {moment(ended, zone)}." if ended else "No collection has succeeded yet."
    old = f"{outdated(ended, schedule)} {moment(ended, zone)}." if ended and outdated(ended, schedule) else ""
    if schedule is None:
        level = Level.ATTENTION if old else Level.OK
        return Part(
            "Schedule", level, f"Collections are not scheduled. {old or last}", "Choose an interval on the page Schedule."
        )
    if not schedule.kept:
        state = f"The process that ran the schedule has stopped. {last}"
        return Part("Schedule", Level.BROKEN, state, "Start it again: the service, or `python api.py --every`.")
    state = f"The next collection starts {moment(schedule.due, zone)}. {old or last}"
    if old:
        return Part("Schedule", Level.ATTENTION, state, "See on the page Collections why the last ones brought nothing.")
    return Part("Schedule", Level.OK, state)


def _x(session: Session, metrics: ServiceMetrics, collector: Collector, zone: ZoneInfo) -> Part:
    if metrics.refused:
        kind, until = min(metrics.refused.items())
        blocks = "X sells nothing now" if kind in BLOCKING else "X refuses every request"
        if kind == FIELDS:
            return Part("X", Level.BROKEN, _changed_fields(session), advice(kind))
        ends = f", until {moment(until, zone)}" if until else ""
        return Part("X", Level.BROKEN, f"{blocks} ({kind}){ends}.", advice(kind))
    if missing_fields(session):
        return Part("X", Level.ATTENTION, _changed_fields(session), advice(FIELDS))
    try:
        require(session, collector.source.name)
    except SourceRefused as error:
        return Part("X", Level.ATTENTION, sentence(f"Nothing is collected: {error}."), advice(error.kind))
    if collector.source.name == EMULATOR:
        return Part("X", Level.OK, "The built-in emulator replaces X.", "Set the credentials of X to collect real tweets.")
    if trouble := x_trouble(session, zone):
        return trouble
    requests = sum(metrics.x_requests.values())
    succeeded = sum(number for (_, outcome), number in metrics.x_requests.items() if outcome == OK)
    left = metrics.rate_limit_remaining
    window = f" The rate limit allows {plural(left, 'more request')} now." if left is not None else ""
    state = f"X answered {number(succeeded)} of {plural(requests, 'request')}." if requests else "No request to X yet."
    return Part("X", Level.OK, state + window)


def _changed_fields(session: Session) -> str:
    missing = missing_fields(session)
    return f"X no longer gives {', '.join(missing)} of posts." if missing else "X refuses the requested fields of posts."


def _budget(session: Session, collector: Collector) -> Part:
    view, billing = collector.outlook(session), collector.order.billing
    used, budget, state = view.used, billing.budget, spend_finding(view, billing.budget)
    if budget is None:
        return Part("Budget", Level.OK, state)
    if budget - used < billing.prices.most(SMALLEST_PAGE):
        return Part("Budget", Level.BROKEN, f"{state} The rest does not pay for the smallest request.", advice("budget"))
    if view.forecast > budget:
        return Part(
            "Budget", Level.ATTENTION, state, "At this rate the budget runs out before the month ends. It is never exceeded."
        )
    return Part("Budget", Level.OK, state)


def _billing_day(session: Session, collector: Collector) -> Iterator[Part]:
    """Yield a part while BILLING_DAY is not X's day, or while X's day has changed lately."""
    days = collector.billing_days(session)
    both = "The budget holds in both months meanwhile."
    if days.disagrees:
        state = f"BILLING_DAY is {days.setting}, but X says that its billing month begins on day {days.by_x}. {both}"
        yield Part("Billing month", Level.ATTENTION, state, f"Set BILLING_DAY={days.by_x}, or unset it to follow X.")
    elif days.earlier and days.earlier != days.by_x:
        state = f"X's billing month begins on day {days.by_x}, and began on day {days.earlier} before. {both}"
        yield Part("Billing month", Level.OK, state)


def _refresh(session: Session, zone: ZoneInfo, *, refreshes: bool) -> Iterator[Part]:
    """Yield a part while refreshing is off by itself, or for a day after an evening on which it was missed."""
    if off := refresh_off(session):
        state = sentence(f"Tweets are not read again in the evening since {moment(off.at, zone)}: {off.reason}.")
        yield Part(REFRESH, Level.ATTENTION, state, advice("refresh-off"))
    elif refreshes and (missed := missed_day(session, now=x_now(session))):
        state = f"What was bought on {day(missed)} (UTC) was not read again that evening, when X charges nothing for it."
        yield Part(REFRESH, Level.OK, state, MISSED)


def _jobs(session: Session, zone: ZoneInfo) -> Iterator[Part]:
    """Yield each scheduled job that failed, or one part if none did, and each that X does not offer the account."""
    jobs = job_states(session)
    for job in jobs:
        if not job.is_offered:
            state = sentence(f"{job.error}. It is asked again once a day.")
            yield Part(f"Scheduled job “{job.name}”", Level.OK, state, advice(job.failure_kind))
        if job.has_failed and job.failure_kind != RefreshStopped.kind:  # it has a part of its own
            state = f"{job.error}. Last done: {moment(job.succeeded, zone)}."
            yield Part(f"Scheduled job “{job.name}”", Level.ATTENTION, sentence(state), advice(job.failure_kind))
    if jobs and not any(job.has_failed for job in jobs):
        done = ", ".join(f"{job.name} {moment(job.succeeded, zone)}" for job in jobs if job.succeeded)
        yield Part("Scheduled jobs", Level.OK, f"Last done: {done}." if done else "The first ones are running.")


def _destinations(session: Session, zone: ZoneInfo) -> Iterator[Part]:
    """Yield each destination that fails, or one part if none does and something was sent or waits."""
    states = destination_states(session, ())
    for one in states:
        if one.failing_since:
            state = f"It does not get a message of {moment(one.failing_since, zone)}: {one.error}. {_waiting(one.waiting)}"
            yield Part(f"Destination “{one.name}”", Level.ATTENTION, state, CHECK_DESTINATION)
    sent = sum(count for (_, outcome), count in notification_counts(session, ()).items() if outcome == "sent")
    if (sent or states) and not any(one.failing_since for one in states):
        state = f"{plural(sent, 'message')} sent. {_waiting(sum(one.waiting for one in states))}"
        yield Part("Destinations", Level.OK, state)


def _links(local_site: str | None) -> Iterator[Part]:
    """Yield a part if messages link to this machine, though others reach the service."""
    if local_site:
        state = f"Messages of watches link to {local_site}, which leads nowhere on other machines."
        yield Part("Links", Level.ATTENTION, state, "Set PUBLIC_URL to the address at which people reach the pages.")


def _waiting(count: int) -> str:
    return f"{plural(count, 'message')} {'waits' if count == 1 else 'wait'}." if count else "None waits."


def _setups(folder: str | None) -> list[Part]:
    """Return a part for each setup service of the stack that has not succeeded."""
    return [
        Part(name.capitalize(), Level.ATTENTION, "Its setup has not succeeded yet.", CHECK_SETUP.format(name))
        for name in unready(folder)
    ]


def _logs(shipped: Shipping) -> Part:
    if not shipped.enabled:
        return Part(
            "Logs",
            Level.OK,
            "Log records are written to the standard output only.",
            "Set LOGSTASH_HOST to ship them to Logstash too.",
        )
    state = f"{plural(shipped.sent, 'record')} shipped since the start, {number(shipped.queued)} waiting."
    if shipped.queued and not shipped.sent:
        return Part(
            "Logs", Level.ATTENTION, f"Logstash has accepted no record yet; {number(shipped.queued)} wait.", CHECK_LOGSTASH
        )
    if shipped.dropped:
        return Part("Logs", Level.ATTENTION, f"{state} {plural(shipped.dropped, 'record')} dropped.", CHECK_LOGSTASH)
    return Part("Logs", Level.OK, state)


ROUTES: tuple[Route, ...] = (("/view/health", health, "GET"),)
