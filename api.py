"""The X side: which hashtags are followed, and how they are collected.

`python api.py` collects once, with a progress bar. It exits with 0 when every tag was collected, 1 when one was not or another
collection runs, and 2 for a wrong setting. `--every 15m` keeps collecting until SIGTERM, and then exits with 0.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from queue import SimpleQueue
from typing import NamedTuple

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

import logstash
from alchemy import Database, DatabaseRevision, DatabaseUnavailable
from collector.buying import OnProgress, Progress
from collector.collector import NONE_TRACKED, CollectionRunning, Collector, NothingTracked, Order, Started
from collector.money.prices import Billing, dollars
from collector.schedule import Schedule
from collector.sources import EMULATOR, REAL, SourceRefused, choose
from collector.tags import TagRefused, hashtag
from collector.x.transport import Access
from collector.x.tries import Patience
from emulator import Emulator
from queries.collections import CollectionView, collection
from queries.figures import COMMAND, x_now
from queries.spend import spent, unsettled
from settings import EVERY, SettingError, Settings, load
from telemetry.shipping import ship

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
        self._emulator: Emulator | None = None

    def reach(self) -> Access:
        """Return how to reach it."""
        with self._lock:
            if self._emulator is None:
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
    choice = choose(settings)
    try:
        followed = tuple(dict.fromkeys(hashtag(tag) for tag in settings.tags or tags))
    except TagRefused as error:
        raise SettingError(f"TAGS: {error}") from error
    source = RealX(choice.access) if choice.access else EmulatedX()
    order = Order(followed, settings.tw_number or tw_number, Patience.of(settings), Billing.of(settings))
    return Collector(Database(choice.database_url), source, order)


def get_tweets(collector: Collector, *, on_progress: OnProgress | None = None) -> CollectionView:
    """Collect once and return how it went; raises as Collector.start does."""
    return _outcome(collector, collector.start(on_progress=on_progress))


def _outcome(collector: Collector, started: Started) -> CollectionView:
    started.over.result()
    with collector.database.reading() as session:
        view = collection(session, started.run_id)
    if view is None:
        raise DatabaseUnavailable("the collection is not on record any more")
    return view


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect, or say what it would cost, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python api.py", description="Collect the tweets of the tracked hashtags once.")
    parser.add_argument("--estimate", action="store_true", help="say what a collection would cost at most, and collect nothing")
    parser.add_argument("--every", type=_interval, metavar="TIME", help="keep collecting, so often: 15m, 1h, 1d")
    asked = parser.parse_args(arguments)
    try:
        settings = load()
        logstash.configure(settings.log_level)
        if settings.logstash_host:
            ship(settings.logstash_host, settings.logstash_port)
        with closing(collector_for(settings)) as collector:
            collector.prepare()
            if asked.estimate:
                return _estimate(collector)
            return _keep_collecting(collector, asked.every) if asked.every else _collect(collector)
    except (SettingError, SourceRefused, NothingTracked) as error:
        return _refuse(str(error), 2)
    except (CollectionRunning, DatabaseUnavailable, DatabaseRevision) as error:
        return _refuse(str(error), 1)


def _collect(collector: Collector) -> int:
    stopped = threading.Event()

    def stop(*_signal: object) -> None:
        stopped.set()
        collector.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    pages: SimpleQueue[Progress | None] = SimpleQueue()
    started = collector.start(on_progress=pages.put)
    if stopped.is_set():
        collector.stop()  # the signal came before there was something to stop
    started.over.add_done_callback(lambda _: pages.put(None))
    with tqdm(total=started.most, unit=" tweets", desc="collecting") as bar, logging_redirect_tqdm():
        for page in iter(pages.get, None):
            bar.set_postfix_str(page.tag, refresh=False)
            bar.update(page.posts)
    return 0 if _told(_outcome(collector, started)) else 1


def _keep_collecting(collector: Collector, every: timedelta) -> int:
    schedule = Schedule(collector, every, keeper=COMMAND, at_once=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: schedule.stop())

    def tell(started: Started) -> None:
        _told(_outcome(collector, started))

    schedule.keep(tell)
    return 0


def _told(view: CollectionView) -> bool:
    """Say how a collection went, and return whether every tag was collected."""
    failed = [tag for tag in view.tags if tag.state != "done"]
    for tag in failed:
        _say(f"{tag.tag}: {tag.reason}")
    _say(f"{view.tweets_added} tweets added, {len(view.tags) - len(failed)} of {len(view.tags)} tags collected")
    return not failed


def _estimate(collector: Collector) -> int:
    billing = collector.order.billing
    with collector.database.reading() as session:
        orders, today = collector.orders(session), x_now(session).date()
        if not orders:
            raise NothingTracked(NONE_TRACKED)
        month = billing.month(today)
        used = spent(session, start=month.start, end=month.end).ceiling + unsettled(session, start=month.start, end=month.end)
    most = collector.most(orders)
    if collector.source.name == EMULATOR:
        _say("nothing: no credentials are set, so the emulator stands in for X; with credentials it would be:")
    numbers = sorted({order.most for order in orders})
    posts = " to ".join(map(str, dict.fromkeys([*numbers[:1], *numbers[-1:]])))
    tags_of = f"{len(orders)} tags x {posts} tweets"
    _say(f"{tags_of}: at most {dollars(most.floor)} for the tweets, {dollars(most.ceiling)} if X charges for their authors too")
    if billing.budget is not None and collector.source.name != EMULATOR:
        left = max(0, billing.budget - used)
        budget = dollars(billing.budget)
        _say(f"{dollars(left)} of the month's budget of {budget} are left until {month.end}; it is never exceeded")
    return 0


def _interval(text: str) -> timedelta:
    """Read a time such as 15m, as COLLECT_EVERY is read."""
    try:
        every: timedelta = EVERY.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not accepted, expected {EVERY.expected}") from error
    return every


def _refuse(reason: str, code: int) -> int:
    _say(reason)
    return code


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
