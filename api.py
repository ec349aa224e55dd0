"""The X side: which hashtags are followed, and how they are collected.

`python api.py` collects once, with a progress bar. It exits with 0 when every tag was collected, 1 when one was not or another
collection runs, and 2 for a wrong setting. `--every 15m` keeps collecting until SIGTERM, and then exits with 0. `--since` buys
what a period lacks from the full archive, `--comply` removes what X says must go.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import logstash
from alchemy import Database, DatabaseRevision, DatabaseUnavailable, check_url, open_database
from cli.backfilling import Declined, NobodyToAsk, backfill, date
from cli.collecting import collect, interval, keep_collecting, tell_estimate
from cli.complying import see_to_compliance
from cli.saying import say
from collector.jobs.chores import Plan, ScheduledJobs
from collector.jobs.upkeep import JobRunner
from collector.ledger.calls import CallsLeaseTaken
from collector.ledger.ledger import BudgetSpent
from collector.ledger.prices import Billing
from collector.runs.backfill import BackfillPeriod, PollUnfinished
from collector.runs.buying import OnProgress
from collector.runs.collector import CollectionOrder, CollectionRunning, Collector, NothingTracked
from collector.runs.tags import InvalidTag, hashtag
from collector.sources import EMULATOR, REAL, Choice, SourceRefused, choose
from collector.x.failures import XFailure
from collector.x.transport import Access
from collector.x.tries import RetryPolicy
from queries.collections import CollectionView
from settings import SettingError, Settings, check_partners, load
from text.secrets import Secrets

if TYPE_CHECKING:
    from emulator import Emulator

log = logging.getLogger(__name__)

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


class EmulatedX:
    """The emulator of the X API, started when it is first needed."""

    name = EMULATOR

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._emulator: Emulator | None = None  # imported late, as it is seldom needed

    def reach(self) -> Access:
        """Return how to reach it."""
        with self._lock:
            if self._emulator is None:
                from emulator import Emulator

                self._emulator = Emulator()
                self._emulator.start()
                url = self._emulator.url
                log.warning("no credentials are set: an emulator of X stands in, the tweets are invented", extra={"url": url})
            return Access(self._emulator.url, bearer_token="emulated")  # noqa: S106 (the emulator takes any)

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


def collector_for(settings: Settings) -> Collector:
    """Return the collector that the settings ask for; raises SettingError. Nothing is opened yet."""
    check_partners(settings)
    choice = choose(settings)
    try:
        followed = tuple(dict.fromkeys(hashtag(tag) for tag in settings.tags or tags))
    except InvalidTag as error:
        raise SettingError(f"TAGS: {error}") from error
    source = RealX(choice.access) if choice.access else EmulatedX()
    order = CollectionOrder(followed, settings.tw_number or tw_number, RetryPolicy.of(settings), Billing.of(settings))
    return Collector(_database(choice), source, order)


def _database(choice: Choice) -> Database:
    """Return the database, which is not opened yet; raises SettingError where its URL has a part that can't be meant."""
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
    """Return the upkeep that the settings ask for; nothing is begun yet."""
    plan = Plan.of(settings)
    return JobRunner(collector.database, ScheduledJobs(collector, plan).planned_jobs(), plan.intervals)


def get_tweets(collector: Collector, *, on_progress: OnProgress | None = None) -> CollectionView:
    """Collect once and return how it went; raises as Collector.start does."""
    return collector.outcome(collector.start(on_progress=on_progress))


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect, or do what the arguments say instead, and return the exit code."""
    asked = _parse_arguments(arguments)
    try:
        settings = load()
        hide = Secrets(settings.secrets()).hide
        logstash.configure(settings.log_level, hide=hide)
        for doubt in settings.misspelt:
            log.warning(doubt)
        if settings.logstash_host:
            from telemetry.shipping import ship

            ship(settings.logstash_host, settings.logstash_port, hide=hide)
        with closing(collector_for(settings)) as collector:
            collector.prepare()
            return _run(asked, collector, settings)
    except (SettingError, SourceRefused, NothingTracked, NobodyToAsk) as error:
        return _refuse(str(error), 2)
    except (CollectionRunning, CallsLeaseTaken, PollUnfinished, Declined) as error:
        return _refuse(str(error), 1)
    except DatabaseUnavailable as error:
        return _refuse(error.in_full, 1)
    except (DatabaseRevision, XFailure, BudgetSpent) as error:
        return _refuse(str(error), 1)


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python api.py", description="Collect the tweets of the tracked hashtags once.")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--estimate", action="store_true", help="say what a collection would cost, and collect nothing")
    instead.add_argument("--every", type=interval, metavar="TIME", help="keep collecting, so often: 15m, 1h, 1d")
    instead.add_argument("--comply", action="store_true", help="ask X which stored tweets must go, and remove them")
    instead.add_argument("--since", type=date, metavar="DATE", help="fill in from the full archive, after showing the price")
    parser.add_argument("--until", type=date, metavar="DATE", help="where --since ends, exclusive; now unless told")
    parser.add_argument("--yes", action="store_true", help="with --since: buy without asking")
    asked = parser.parse_args(arguments)
    if asked.since is None and (asked.until or asked.yes):
        parser.error("--until and --yes go with --since")
    if asked.since and asked.since >= (asked.until or datetime.now(UTC)):
        parser.error("--since must be before --until and before now")
    return asked


def _run(asked: argparse.Namespace, collector: Collector, settings: Settings) -> int:
    if asked.estimate:
        return tell_estimate(collector)
    if asked.every:
        return keep_collecting(collector, asked.every, job_runner_for(collector, settings))
    if asked.comply:
        return see_to_compliance(ScheduledJobs(collector, Plan.of(settings)))
    if asked.since:
        return backfill(collector, BackfillPeriod(asked.since, asked.until or datetime.now(UTC)), sure=asked.yes)
    return collect(collector)


def _refuse(reason: str, code: int) -> int:
    say(reason)
    return code


if __name__ == "__main__":
    sys.exit(main())
