"""The scheduled jobs of watches: each in a thread of its own, because neither may wait for the other or for a backup."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from collector.jobs.scheduled import ScheduledJob
from collector.runs.collector import Collector
from watches.destinations import Destinations
from watches.digest import Money
from watches.evaluating import EVERY, Evaluator
from watches.messages import render
from watches.sending import Render, Sender

SENT_EVERY = timedelta(seconds=5)


def watch_jobs(collector: Collector, destinations: Destinations, *, site: str) -> list[ScheduledJob]:
    """Return the jobs that find what watches tell, and send it. `site` is the address at which people reach the pages."""
    sender = Sender(collector.database, destinations, render_for(collector, site=site))
    evaluator = Evaluator(collector.database)
    # the runner checks every five seconds as well: with an interval as long it would be due at every second check
    return [
        ScheduledJob(
            "watch", SENT_EVERY / 2, evaluator.has_work, evaluator.evaluate, rare=True, shown_interval=EVERY, thread="watch"
        ),
        ScheduledJob(
            *("notify", SENT_EVERY / 2, sender.has_work, sender.send_due),
            rare=True,
            shown_interval=SENT_EVERY,
            thread="notify",
            finish=sender.finish,
        ),
    ]


def render_for(collector: Collector, *, site: str) -> Render:
    """Return what puts the findings of a collector's database into words."""
    return partial(render, site=site, money=Money(collector.outlook, collector.order.billing.budget))
