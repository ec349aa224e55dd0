"""`python api.py`: one collection with a progress bar, repeated ones, an estimate, or compliance."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from queue import SimpleQueue

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from cli.output import print_line
from collector.backups.sweeping import rewrite_file
from collector.jobs.schedule import CollectionSchedule
from collector.jobs.scheduled import JobRunner, ScheduledJobs
from collector.ledger.prices import dollars
from collector.ledger.pricing import budget_left, in_words, price
from collector.runs.backfill import BackfillPeriod
from collector.runs.collector import NONE_TRACKED, Collector, NothingTracked, RunningCollection
from collector.runs.reading import Progress
from collector.sources import EMULATOR
from collector.tweets.erasure import erase
from queries.balances import authors
from queries.collections import CollectionView
from queries.counters import COMMAND


def collect(collector: Collector, *, period: BackfillPeriod | None = None, total: int | None = None) -> int:
    """Collect once, or backfill a period of `total` tweets, with a progress bar, and return the exit code.

    SIGINT and SIGTERM end it after the current page.
    """
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        collector.stop()

    _on_signals(stop)
    pages: SimpleQueue[Progress | None] = SimpleQueue()
    started = collector.start(on_progress=pages.put, period=period)
    if stopped.is_set():
        collector.stop()  # the signal came before the start
    started.over.add_done_callback(lambda _: pages.put(None))
    with (
        tqdm(total=started.most if total is None else total, unit=" tweets", desc="collecting") as bar,
        logging_redirect_tqdm(),
    ):
        for page in iter(pages.get, None):
            bar.set_postfix_str(page.tag, refresh=False)
            bar.update(page.posts)
    complete = _report(collector.outcome(started))
    erase(collector.database, rewrite=rewrite_file)
    return 0 if complete else 1


def keep_collecting(collector: Collector, every: timedelta, jobs: JobRunner) -> int:
    """Collect at an interval and run scheduled jobs until SIGINT or SIGTERM. Return the exit code."""
    schedule = CollectionSchedule(collector, every, keeper=COMMAND, immediately=True)
    _on_signals(schedule.stop)

    def report(started: RunningCollection) -> None:
        _report(collector.outcome(started))

    jobs.start()
    schedule.keep(report)
    jobs.close()
    return 0


def _on_signals(stop: Callable[[], object]) -> None:
    """Call `stop` at SIGINT and SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop())


def _report(view: CollectionView) -> bool:
    """Print the outcome of a collection, and return whether every tag was collected."""
    failed = [tag for tag in view.tags if tag.state != "done"]
    for tag in failed:
        print_line(f"{tag.tag}: {tag.reason}")
    print_line(f"{view.tweets_added} tweets added, {len(view.tags) - len(failed)} of {len(view.tags)} tags collected")
    return not failed


def print_estimate(collector: Collector) -> int:
    """Print what a collection would cost, and return the exit code."""
    with collector.database.reading() as session:
        priced, left, known = price(collector, session), budget_left(collector, session), authors(session)
    if not priced.tags:
        raise NothingTracked(NONE_TRACKED)
    if collector.source.name == EMULATOR:
        print_line("nothing: no credentials are set, so the emulator stands in for X; with credentials it would be:")
    most, likely, counted = priced.most, priced.likely, priced.likely_counts
    numbers = sorted({tag.most for tag in priced.tags})
    posts = " to ".join(map(str, dict.fromkeys([*numbers[:1], *numbers[-1:]])))
    tags_of = f"{len(priced.tags)} tags x {posts} tweets"
    print_line(f"{tags_of}: at most {in_words(most, known)}")
    if counted:
        print_line(f"by X's own counts it is about {sum(counted)} tweets of {len(counted)} tags: {in_words(likely, known)}")
    if known:
        print_line(known.said)
    if left and collector.source.name != EMULATOR:
        amounts = f"{dollars(left.micro)} of the month's budget of {dollars(left.budget)}"
        print_line(f"{amounts} are left until {left.until}; it is never exceeded")
    return 0


def run_compliance(jobs: ScheduledJobs) -> int:
    """Run X's compliance jobs to their end, or until SIGINT or SIGTERM, and return the exit code.

    The next run continues an unfinished job. Raises SourceRefused, XFailure, DatabaseUnavailable.
    """
    stop = threading.Event()
    _on_signals(stop.set)
    outcome = jobs.comply(stop)
    print_line(f"{outcome.ids} ids asked, {outcome.removed} tweets removed, {outcome.scrubbed} locations removed")
    if outcome.waiting:
        print_line("X has not finished: the next run continues this job")
    elif stop.is_set():
        print_line("interrupted: the next run continues")
    return 1 if outcome.waiting or stop.is_set() else 0
