"""The collector: which hashtags are tracked, and how it is wired from the settings.

`python api.py` collects once, with a progress bar. It exits with 0 if every tag was collected, 1 if one was not or another
collection runs, and 2 for a wrong setting. `--every 15m` keeps collecting until SIGTERM, and then exits with 0. `--since`
backfills a period from the full archive, or with `--refresh` reads what is stored of it again. `--comply` deletes tweets that X
requires to be deleted.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import logstash
from alchemy import Database, DatabaseRevision, DatabaseUnavailable, check_url, open_database
from cli.arguments import Arguments, parse_arguments
from cli.collecting import Declined, NoTerminal, backfill, collect, keep_collecting, print_estimate, run_compliance
from cli.output import print_line
from cli.refreshing import refresh_period, resume_refreshing
from collector.jobs.scheduled import JobRunner, Plan, ScheduledJobs
from collector.ledger.calls import CallsLeaseTaken
from collector.ledger.ledger import BudgetSpent
from collector.ledger.prices import Billing
from collector.refresh.lookups import RefreshRunning
from collector.runs.backfill import PollUnfinished
from collector.runs.buying import OnProgress
from collector.runs.collector import CollectionOrder, CollectionRunning, Collector, NothingTracked
from collector.runs.tags import InvalidTag, hashtag
from collector.sources import EMULATOR, REAL, Choice, SourceRefused, choose
from collector.x.client import Access
from collector.x.failures import RetryPolicy, XFailure
from queries.collections import CollectionView
from settings import SettingError, Settings, check_credentials, load
from text.secrets import Secrets
from watches.destinations import Destinations, check_destinations
from watches.jobs import watch_jobs

if TYPE_CHECKING:
    from emulator import Emulator

log = logging.getLogger(__name__)

NOT_DONE = (
    *(CollectionRunning, RefreshRunning, CallsLeaseTaken, PollUnfinished, Declined, DatabaseRevision, XFailure, BudgetSpent),
)
"""Why a command could not do all of what it was told to."""

tags = [
    "#openbanking",
    "#remediation",
    "#devops",
    "#sre",
    "#microservices",
    "#observability",
    "#oauth",
    "#metrics",
    "#logmonitoring",
    "#opentracing",
]
tw_number = 100

TWEETS_A_WEEK = 3_000  # of the emulator: about as many as a collection a day of ten hashtags finds


class EmulatedX:
    """The emulator of the X API, started at first use."""

    name = EMULATOR

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._emulator: Emulator | None = None  # imported late, as it is needed only without credentials

    def reach(self) -> Access:
        """Start the emulator, unless it runs, and return how to reach it."""
        with self._lock:
            if self._emulator is None:
                from emulator import Emulator

                self._emulator = Emulator(tweets=TWEETS_A_WEEK, incidents=True)
                self._emulator.start()
                url = self._emulator.url
                log.warning("no credentials are set: an emulator of X stands in, the tweets are invented", extra={"url": url})
            return Access(self._emulator.url, bearer_token="emulated")  # noqa: S106 (the emulator takes any)

    def archive(self, params: Mapping[str, str]) -> Mapping[str, Any]:
        """Return what its full archive has, free of charge."""
        with self._lock:
            self.reach()
            return self._emulator.archive(params) if self._emulator else {}

    def close(self) -> None:
        """Stop it, if it was started."""
        with self._lock:
            if self._emulator:
                self._emulator.stop()
                self._emulator = None


class RealX(NamedTuple):
    """X, or another host that speaks its API."""

    access: Access
    name: str = REAL

    def reach(self) -> Access:
        return self.access

    def close(self) -> None:
        """Nothing was opened."""


def collector_for(settings: Settings, *, importing: bool = False) -> Collector:
    """Return the collector for these settings, or the one whose database takes imports. Opens nothing. Raises SettingError."""
    check_credentials(settings)
    check_destinations(settings.notify_urls)
    choice = choose(settings, importing=importing)
    try:
        tracked = tuple(dict.fromkeys(hashtag(tag) for tag in settings.tags or tags))
    except InvalidTag as error:
        raise SettingError(f"TAGS: {error}") from error
    emulated = EmulatedX()
    source = RealX(choice.access) if choice.access else emulated
    number, billing = settings.tw_number or tw_number, Billing.of(settings)
    order = CollectionOrder(tracked, number, RetryPolicy.of(settings), billing, settings.authors, settings.collect_every)
    return Collector(_database(choice), source, order, archive=emulated.archive if choice.is_emulators_own else None)


def _database(choice: Choice) -> Database:
    """Return the database without opening it. Raises SettingError for a URL with an unknown or contradictory part."""
    if choice.replica_url and not choice.database_url.startswith("postgresql"):
        raise SettingError("DATABASE_REPLICA_URL: is set without a DATABASE_URL of PostgreSQL's, expected both")
    for name, url in (("DATABASE_URL", choice.database_url), ("DATABASE_REPLICA_URL", choice.replica_url)):
        try:
            check_url(url or choice.database_url)
        except ValueError as error:
            raise SettingError(f"{name}: its value is not accepted, {error}") from None
    database = open_database(choice.database_url, choice.replica_url, data_folder=choice.data_folder)
    try:
        database.check_folder()
    except ValueError as error:
        raise SettingError(f"DATABASE_URL: {error}") from None
    return database


def job_runner_for(collector: Collector, settings: Settings) -> JobRunner:
    """Return the runner of scheduled jobs for these settings. Starts nothing."""
    jobs = ScheduledJobs(collector, Plan.of(settings)).planned_jobs()
    return JobRunner(
        collector.database, [*jobs, *watch_jobs(collector, Destinations(settings.notify_urls), site=settings.site)]
    )


def get_tweets(collector: Collector, *, on_progress: OnProgress | None = None) -> CollectionView:
    """Collect once and return the outcome. Raises as Collector.start does."""
    return collector.outcome(collector.start(on_progress=on_progress))


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect, or do what the arguments request instead, and return the exit code."""
    parsed = parse_arguments(arguments)
    try:
        settings = load()
        hide = Secrets(settings.secrets()).hide
        logstash.configure(settings.log_level, hide=hide, form=settings.log_format)
        for hint in settings.spelling_hints:
            log.warning(hint)
        if settings.logstash_host:
            from telemetry.shipping import ship

            ship(settings.logstash_host, settings.logstash_port, hide=hide)
        with closing(collector_for(settings)) as collector:
            collector.prepare()
            return _run(parsed, collector, settings)
    except (SettingError, SourceRefused, NothingTracked, NoTerminal) as error:
        return _refuse(str(error), 2)
    except DatabaseUnavailable as error:
        return _refuse(error.in_full, 1)
    except NOT_DONE as error:
        return _refuse(str(error), 1)


def _run(arguments: Arguments, collector: Collector, settings: Settings) -> int:
    if arguments.estimate:
        return print_estimate(collector)
    if arguments.every:
        return keep_collecting(collector, arguments.every, job_runner_for(collector, settings))
    if arguments.comply:
        return run_compliance(ScheduledJobs(collector, Plan.of(settings)))
    if arguments.refresh_on:
        return resume_refreshing(collector)
    if arguments.period and arguments.refresh:
        return refresh_period(collector, arguments.period.since, arguments.until, sure=arguments.sure)
    if arguments.period:
        return backfill(collector, arguments.period, sure=arguments.sure)
    return collect(collector)


def _refuse(reason: str, code: int) -> int:
    print_line(reason)
    return code


if __name__ == "__main__":
    sys.exit(main())
