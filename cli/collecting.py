"""`python api.py`: one collection with a progress bar, repeated ones, a backfill, an estimate, or compliance."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from queue import SimpleQueue

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from cli.output import plural, print_line
from collector import sources
from collector.backups.sweeping import rewrite_file
from collector.counters import request_counter
from collector.jobs import counting
from collector.jobs.schedule import CollectionSchedule
from collector.jobs.scheduled import JobRunner, ScheduledJobs
from collector.ledger.calls import call_buyer
from collector.ledger.ledger import QuoteReached
from collector.ledger.offers import set_clock
from collector.ledger.prices import dollars
from collector.ledger.pricing import Quote, budget_left, in_words, missing_counts, price, quotes
from collector.runs import runs
from collector.runs.backfill import BackfillPeriod, most_posts
from collector.runs.buying import Progress
from collector.runs.collector import NONE_TRACKED, CollectionRunning, Collector, NothingTracked, RunningCollection
from collector.sources import EMULATOR
from collector.tweets.erasure import erase
from collector.x.app_only import AppOnly
from collector.x.failures import Stopped
from queries.balances import authors
from queries.collections import CollectionView
from queries.counters import COMMAND, live_token

CONFIRM_ABOVE = 1_000_000  # micro dollars


class Declined(Exception):
    """The user did not confirm the price, or interrupted."""


class NoTerminal(Exception):
    """There is no terminal on which to confirm the price."""


def collect(collector: Collector) -> int:
    """Collect once, with a progress bar, and return the exit code. SIGINT and SIGTERM end it after the current page."""
    return 0 if _report(_collect(collector)) else 1


def keep_collecting(collector: Collector, every: timedelta, jobs: JobRunner) -> int:
    """Collect at an interval and run scheduled jobs until SIGINT or SIGTERM. Return the exit code."""
    schedule = CollectionSchedule(collector, every, keeper=COMMAND, immediately=True)

    def stop() -> None:
        schedule.stop()
        jobs.stop()

    _on_signals(stop)

    def report(started: RunningCollection) -> None:
        _report(collector.outcome(started))

    jobs.start()
    schedule.keep(report)
    jobs.close()
    return 0


def backfill(collector: Collector, period: BackfillPeriod, *, sure: bool) -> int:
    """Print the price of a backfill, buy it once that is confirmed, and return the exit code.

    Where X has more than was quoted, it stops and asks again. Raises as Collector.start does, and Interrupted, XFailure,
    BudgetSpent, CallsLeaseTaken, Declined, NoTerminal.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        quoted: int | None = _agree_on_price(collector, period, sure=sure)
    except (KeyboardInterrupt, Stopped) as error:
        raise Declined("interrupted: nothing was bought except counts") from error
    while quoted is not None:
        view = _collect(collector, period._replace(quoted=quoted))
        is_complete = _report(view)
        if view.failure_kind != QuoteReached.kind:
            return 0 if is_complete else 1
        quoted = _agree_on_rest(collector, period)
    return 1


def print_estimate(collector: Collector) -> int:
    """Print what a collection would cost, and return the exit code."""
    with collector.database.reading() as session:
        priced, left, known = price(collector, session), budget_left(collector, session), authors(session)
        looks_up = collector.looks_up_authors(session)
    if not priced.tags:
        raise NothingTracked(NONE_TRACKED)
    if collector.source.name == EMULATOR:
        print_line("nothing: no credentials are set, so the emulator stands in for X; with credentials it would be:")
    most, likely, counted = priced.most, priced.likely, priced.likely_counts
    numbers = sorted({tag.most for tag in priced.tags})
    posts = " to ".join(map(str, dict.fromkeys([*numbers[:1], *numbers[-1:]])))
    tags_of = f"{plural(len(priced.tags), 'tag')} x {posts} tweets"
    print_line(f"{tags_of}: at most {in_words(most, known, looks_up=looks_up)}")
    if counted:
        expected = f"{plural(sum(counted), 'tweet')} of {plural(len(counted), 'tag')}"
        print_line(f"by X's own counts it is about {expected}: {in_words(likely, known, looks_up=looks_up)}")
    for tag in priced.tags:
        if tag.uncounted:
            print_line(f"{tag.tag}: X gave no count for {_hours(tag.uncounted)}, which are assumed to be average")
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
    removed = f"{plural(outcome.removed, 'tweet')} removed, {plural(outcome.scrubbed, 'location')} removed"
    print_line(f"{plural(outcome.ids, 'id')} asked, {removed}")
    if outcome.waiting:
        print_line("X has not finished: the next run continues this job")
    elif stop.is_set():
        print_line("interrupted: the next run continues")
    return 1 if outcome.waiting or stop.is_set() else 0


def _collect(collector: Collector, period: BackfillPeriod | None = None) -> CollectionView:
    """Collect once, or backfill a period, with a progress bar, and return the outcome."""
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
        tqdm(total=period.quoted if period else started.most, unit=" tweets", desc="collecting") as bar,
        logging_redirect_tqdm(),
    ):
        for page in iter(pages.get, None):
            bar.set_postfix_str(page.tag, refresh=False)
            bar.update(page.posts)
    view = collector.outcome(started)
    erase(collector.database, rewrite=rewrite_file)
    return view


def _on_signals(stop: Callable[[], object]) -> None:
    """Call `stop` at SIGINT and SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop())


def _report(view: CollectionView) -> bool:
    """Print the outcome of a collection, and return whether every tag was collected."""
    failed = [tag for tag in view.tags if tag.state != "done"]
    for reason in dict.fromkeys(tag.reason for tag in failed):
        print_line(f"{', '.join(tag.tag for tag in failed if tag.reason == reason)}: {reason}")
    tags = f"{len(view.tags) - len(failed)} of {plural(len(view.tags), 'tag')}"
    print_line(f"{plural(view.tweets_added, 'tweet')} added, {tags} collected")
    return not failed


def _agree_on_price(collector: Collector, period: BackfillPeriod, *, sure: bool) -> int:
    """Return how many tweets to buy, once the user has confirmed the price."""
    with collector.database.reading() as session:
        sources.require(session, collector.source.name)
        orders = collector.orders(session)
        if live_token(session) is not None:
            raise CollectionRunning(runs.running(session))
    if not orders:
        raise NothingTracked(NONE_TRACKED)
    with closing(AppOnly(collector.source.reach(), collector.clock, request_counter(collector.database))) as x:
        set_clock(x)
        with collector.database.reading() as session:
            missing = missing_counts(session, orders, period, collector.clock)
        _buy_counts(collector, x, missing, sure=sure)
    with collector.database.reading() as session:
        offers = quotes(session, orders, period, collector.clock)
    _print_quotes(collector, offers)
    if not sure:
        confirm("buy them?")
    return sum(quote.posts for quote in offers)


def _agree_on_rest(collector: Collector, period: BackfillPeriod) -> int | None:
    """Print the price of what is left of a backfill, and return how many tweets to buy; None if nobody confirms it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with collector.database.reading() as session:
        offers = quotes(session, collector.orders(session), period, collector.clock)
    _print_quotes(collector, offers, are_too_low=True)
    if not sys.stdin.isatty():
        print_line("there is no terminal to confirm the new price on: the same command continues the backfill")
        return None
    with suppress(KeyboardInterrupt):
        return sum(quote.posts for quote in offers) if _is_confirmed("buy these as well?") else None
    return None


def _buy_counts(collector: Collector, x: AppOnly, missing: Sequence[counting.Due], *, sure: bool) -> None:
    """Buy the counts that are missing. Their own price is confirmed as well if it is high."""
    if not missing:
        return
    price = counting.calls(missing) * collector.order.billing.prices.archive_count
    print_line(f"counting the tweets at X costs at most {dollars(price)}")
    if price > CONFIRM_ABOVE and not sure:
        confirm("have them counted?")
    order = collector.order
    with call_buyer(collector.database, x, order.billing, order.retry_policy, threading.Event()) as buyer:
        for one in missing:
            counting.count_archive(buyer, one)


def _print_quotes(collector: Collector, offers: Sequence[Quote], *, are_too_low: bool = False) -> None:
    """Print the price, and where it may be too low how much is bought before it is asked for again."""
    for quote in offers:
        rest = f"; tweets newer than {quote.until:%Y-%m-%d %H:%M} UTC are left to the next collection" if quote.until else ""
        print_line(f"{quote.tag}: {plural(quote.posts, 'tweet')}{_unknown(quote)}{rest}")
    prices, total = collector.order.billing.prices, sum(quote.posts for quote in offers)
    cost = prices.cost(posts=total, users=total)
    with collector.database.reading() as session:
        known, left = authors(session), budget_left(collector, session)
        looks_up = collector.looks_up_authors(session)
    print_line(f"{plural(total, 'tweet')} to buy, by X's own counts: {in_words(cost, known, looks_up=looks_up)}")
    uncounted = any(quote.uncounted for quote in offers)
    if uncounted or are_too_low:
        most = most_posts(total)
        worst = in_words(prices.cost(posts=most, users=most), known, looks_up=looks_up)
        what = "the hours without a count" if uncounted else "the period"
        print_line(f"{what} may hold more: at most {most} tweets are bought before you are asked again: {worst}")
    if collector.source.name == EMULATOR:
        print_line("nothing is charged: no credentials are set, so the emulator stands in for X")
        return
    if left and left.micro < cost.ceiling:
        print_line(
            f"the month's budget leaves {dollars(left.micro)}: the backfill stops there; the same command continues it later"
        )


def _unknown(quote: Quote) -> str:
    """Return what is said of the hours of a quote that X did not count."""
    if not quote.uncounted:
        return ""
    assumed = f", for which {quote.assumed} are assumed" if quote.assumed else ""
    return f"; X gave no count for {_hours(quote.uncounted)}{assumed}"


def _hours(count: int) -> str:
    return f"{count} hour{'s' * (count != 1)}"


def confirm(question: str) -> None:
    """Ask for a confirmation; raises NoTerminal, Declined."""
    if not sys.stdin.isatty():
        raise NoTerminal("nothing was bought: there is no terminal to confirm on; --yes confirms beforehand")
    if not _is_confirmed(question):
        raise Declined("nothing was bought")


def _is_confirmed(question: str) -> bool:
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in ("y", "yes")
