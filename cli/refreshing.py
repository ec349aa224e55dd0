"""`python api.py --refresh-on`, and `--refresh --since DATE`: what was read once is read again."""

from __future__ import annotations

import signal
import threading
from contextlib import closing
from datetime import datetime

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from cli.collecting import Declined, confirm
from cli.output import plural, print_line
from collector.counters import request_counter
from collector.ledger.ledger import QuoteReached
from collector.ledger.offers import set_clock
from collector.ledger.prices import dollars
from collector.ledger.pricing import budget_left
from collector.refresh.looks import LookStored
from collector.refresh.ordered import LookOffer, look_now, look_offer
from collector.refresh.records import switch_on
from collector.runs.backfill import most_posts
from collector.runs.collector import Collector
from collector.sources import EMULATOR
from collector.x.app_only import AppOnly
from collector.x.failures import Stopped


def resume_refreshing(collector: Collector) -> int:
    """Let the tweets of each day be read again, say why they were not, and return the exit code."""
    was = switch_on(collector.database)
    if was is None:
        print_line("refreshing did not go off by itself; REFRESH says whether tweets are read again")
    else:
        print_line(f"refreshing begins again on the next evening. It was off since {was.at:%Y-%m-%d %H:%M} UTC: {was.reason}")
    return 0


def refresh_period(collector: Collector, since: datetime, until: datetime | None, *, sure: bool) -> int:
    """Print what it costs to read the tweets of a period again, do it once that is confirmed, and return the exit code.

    Raises Declined, NoTerminal, RefreshRunning, SourceRefused, XFailure, BudgetSpent.
    """
    with closing(AppOnly(collector.source.reach(), collector.clock, request_counter(collector.database))) as x:
        set_clock(x)
    with collector.database.reading() as session:
        offer = look_offer(collector, session, since, until)
    _print_offer(collector, offer)
    if not offer.posts.tweets:
        return 0
    if not sure:
        confirm("read them again?")
    return _look(collector, offer)


def _look(collector: Collector, offer: LookOffer) -> int:
    stop, read, removed = threading.Event(), 0, 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tqdm(total=offer.posts.tweets, unit=" tweets", desc="reading again") as bar, logging_redirect_tqdm():

        def report(look: LookStored) -> None:
            nonlocal read, removed
            read, removed = read + look.posts, removed + look.removed
            bar.update(look.posts + look.removed)

        try:
            left = look_now(collector, offer, stop, report)
        except Stopped as error:
            raise Declined("interrupted: the service, or the same command, continues") from error
        except QuoteReached as error:
            print_line(error)
            return 1
    print_line(f"{plural(read, 'tweet')} read again, {plural(removed, 'tweet')} removed")
    if left and left.next_look:
        print_line(
            f"X did not find {plural(len(left.gone), 'tweet')}. From {left.next_look:%H:%M} UTC the service, or the same "
            "command, looks for them once more, and then reads what is left"
        )
        return 1
    return 0


def _print_offer(collector: Collector, offer: LookOffer) -> None:
    posts, what = offer.posts, "left of this look" if offer.is_rest else "stored"
    free = f", {posts.free} of them bought today, which cost nothing" if posts.free else ""
    print_line(f"{plural(posts.tweets, 'tweet')} {what}{free}: {dollars(offer.price)} to read them again")
    most = most_posts(offer.charged) * collector.order.billing.prices.post
    if posts.free:
        print_line(f"what is not read before midnight UTC costs as well; never more than {dollars(most)} in all")
    if collector.source.name == EMULATOR:
        print_line("nothing is charged: no credentials are set, so the emulator stands in for X")
        return
    with collector.database.reading() as session:
        left = budget_left(collector, session)
    if left and left.micro < offer.price:
        print_line(f"the month's budget leaves {dollars(left.micro)}: it stops there; the service continues it later")
