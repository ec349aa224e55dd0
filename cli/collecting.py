"""`python api.py`: one collection with a progress bar, or one after the other, or what one would cost."""

from __future__ import annotations

import argparse
import signal
import threading
from datetime import timedelta
from queue import SimpleQueue

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from cli.saying import say
from collector.backups.sweeping import rewrite_file
from collector.jobs.schedule import CollectionSchedule
from collector.jobs.upkeep import JobRunner
from collector.ledger.prices import dollars
from collector.ledger.pricing import budget_left, in_words, price
from collector.runs.backfill import BackfillPeriod
from collector.runs.collector import NONE_TRACKED, Collector, NothingTracked, RunningCollection
from collector.runs.reading import Progress
from collector.sources import EMULATOR
from collector.tweets.erasure import settle
from queries.balances import authors
from queries.collections import CollectionView
from queries.figures import COMMAND
from settings import EVERY


def collect(collector: Collector, *, period: BackfillPeriod | None = None, total: int | None = None) -> int:
    """Collect once, or fill in a period of so many tweets, with a progress bar, and return the exit code.

    SIGINT and SIGTERM end it at the next page boundary.
    """
    stopped = threading.Event()

    def stop(*_signal: object) -> None:
        stopped.set()
        collector.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    pages: SimpleQueue[Progress | None] = SimpleQueue()
    started = collector.start(on_progress=pages.put, period=period)
    if stopped.is_set():
        collector.stop()  # the signal came before there was something to stop
    started.over.add_done_callback(lambda _: pages.put(None))
    with (
        tqdm(total=started.most if total is None else total, unit=" tweets", desc="collecting") as bar,
        logging_redirect_tqdm(),
    ):
        for page in iter(pages.get, None):
            bar.set_postfix_str(page.tag, refresh=False)
            bar.update(page.posts)
    told = _report(collector.outcome(started))
    settle(collector.database, rewrite=rewrite_file)
    return 0 if told else 1


def keep_collecting(collector: Collector, every: timedelta, upkeep: JobRunner) -> int:
    """Collect so often, and keep up what else is to be done, until SIGINT or SIGTERM. Return the exit code."""
    schedule = CollectionSchedule(collector, every, keeper=COMMAND, at_once=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: schedule.stop())

    def tell(started: RunningCollection) -> None:
        _report(collector.outcome(started))

    upkeep.start()
    schedule.keep(tell)
    upkeep.close()
    return 0


def _report(view: CollectionView) -> bool:
    """Say how a collection went, and return whether every tag was collected."""
    failed = [tag for tag in view.tags if tag.state != "done"]
    for tag in failed:
        say(f"{tag.tag}: {tag.reason}")
    say(f"{view.tweets_added} tweets added, {len(view.tags) - len(failed)} of {len(view.tags)} tags collected")
    return not failed


def tell_estimate(collector: Collector) -> int:
    """Say what a collection would cost. Return the exit code."""
    with collector.database.reading() as session:
        priced, left, known = price(collector, session), budget_left(collector, session), authors(session)
    if not priced.tags:
        raise NothingTracked(NONE_TRACKED)
    if collector.source.name == EMULATOR:
        say("nothing: no credentials are set, so the emulator stands in for X; with credentials it would be:")
    most, likely, counted = priced.most, priced.likely, priced.likely_counts
    numbers = sorted({tag.most for tag in priced.tags})
    posts = " to ".join(map(str, dict.fromkeys([*numbers[:1], *numbers[-1:]])))
    tags_of = f"{len(priced.tags)} tags x {posts} tweets"
    say(f"{tags_of}: at most {in_words(most, known)}")
    if counted:
        say(f"by X's own counts it is about {sum(counted)} tweets of {len(counted)} tags: {in_words(likely, known)}")
    if known:
        say(known.said)
    if left and collector.source.name != EMULATOR:
        amounts = f"{dollars(left.micro)} of the month's budget of {dollars(left.budget)}"
        say(f"{amounts} are left until {left.until}; it is never exceeded")
    return 0


def interval(text: str) -> timedelta:
    """Read a time such as 15m, as COLLECT_EVERY is read."""
    try:
        every: timedelta = EVERY.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not accepted, expected {EVERY.expected}") from error
    return every
