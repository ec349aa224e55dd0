"""`python api.py --since`: a backfill from the full archive, after its price is confirmed."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import closing

from cli.collecting import collect
from cli.output import print_line
from collector import sources
from collector.jobs.counting import Due, calls
from collector.ledger import quotes
from collector.ledger.calls import call_buyer
from collector.ledger.prices import dollars
from collector.ledger.pricing import budget_left, in_words
from collector.ledger.quotes import Quote
from collector.runs import runs
from collector.runs.backfill import BackfillPeriod
from collector.runs.collector import NONE_TRACKED, CollectionRunning, Collector, NothingTracked
from collector.sources import EMULATOR
from collector.x.app_only import AppOnly
from collector.x.failures import FailureScope, Stopped, XFailure
from queries.balances import authors
from queries.counters import live_token

CONFIRM_ABOVE = 1_000_000  # micro dollars


class Declined(Exception):
    """The user did not confirm the price, or interrupted."""


class NoTerminal(Exception):
    """There is no terminal on which to confirm the price."""


def backfill(collector: Collector, period: BackfillPeriod, *, sure: bool) -> int:
    """Print the price of a backfill, buy it once that is confirmed, and return the exit code.

    Raises as Collector.start does, and Interrupted, XFailure, BudgetSpent, CallsLeaseTaken, Declined, NobodyToAsk.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        total = _agree_on_price(collector, period, sure=sure)
    except (KeyboardInterrupt, Stopped) as error:
        raise Declined("interrupted: nothing was bought except counts") from error
    return collect(collector, period=period, total=total)


def _agree_on_price(collector: Collector, period: BackfillPeriod, *, sure: bool) -> int:
    """Return how many tweets to buy, once the user has confirmed the price."""
    with collector.database.reading() as session:
        sources.require(session, collector.source.name)
        orders = collector.orders(session)
        if live_token(session) is not None:
            raise CollectionRunning(runs.running(session))
    if not orders:
        raise NothingTracked(NONE_TRACKED)
    with closing(AppOnly(collector.source.reach(), collector.clock)) as x:
        _set_clock(x)
        with collector.database.reading() as session:
            missing = quotes.to_count(session, orders, period, collector.clock)
        _buy_counts(collector, x, missing, sure=sure)
    with collector.database.reading() as session:
        offers = quotes.quotes(session, orders, period, collector.clock)
    _print_quotes(collector, offers)
    if not sure:
        _confirm("buy them?")
    return sum(quote.posts for quote in offers)


def _set_clock(x: AppOnly) -> None:
    """Set the clock to X's by a free request. Raises XFailure if X refuses every request."""
    try:
        x.usage()
    except XFailure as failure:
        if failure.reach is FailureScope.RUN:
            raise


def _buy_counts(collector: Collector, x: AppOnly, missing: Sequence[Due], *, sure: bool) -> None:
    """Buy the counts that are missing. Their own price is confirmed as well if it is high."""
    if not missing:
        return
    price = calls(missing) * collector.order.billing.prices.archive_count
    print_line(f"counting the tweets at X costs at most {dollars(price)}")
    if price > CONFIRM_ABOVE and not sure:
        _confirm("have them counted?")
    order = collector.order
    with call_buyer(collector.database, x, order.billing, order.retry_policy, threading.Event()) as buyer:
        quotes.count(buyer, missing)


def _print_quotes(collector: Collector, offers: Sequence[Quote]) -> None:
    for quote in offers:
        rest = f"; tweets newer than {quote.until:%Y-%m-%d %H:%M} UTC are left to the next collection" if quote.until else ""
        print_line(f"{quote.tag}: {quote.posts} tweets{rest}")
    prices, total = collector.order.billing.prices, sum(quote.posts for quote in offers)
    cost = prices.cost(posts=total, users=total)
    with collector.database.reading() as session:
        known, left = authors(session), budget_left(collector, session)
    print_line(f"{total} tweets to buy, by X's own counts: {in_words(cost, known)}")
    if collector.source.name == EMULATOR:
        print_line("nothing is charged: no credentials are set, so the emulator stands in for X")
        return
    if left and left.micro < cost.ceiling:
        print_line(
            f"the month's budget leaves {dollars(left.micro)}: the backfill stops there; the same command continues it later"
        )


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise NoTerminal("nothing was bought: there is no terminal to confirm on; --yes confirms beforehand")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
        raise Declined("nothing was bought")
