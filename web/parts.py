"""Health at a glance: each part of the service, whether it is well, and what to do where it isn't."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from collector.ledger.ledger import SMALLEST_PAGE
from collector.runs.collector import Collector
from collector.sources import EMULATOR
from collector.x.failures import BLOCKING
from queries.chores import job_states
from queries.collections import CollectionView, latest
from queries.figures import ServiceMetrics, last_answer, service_metrics
from web.advice import advice
from web.shipping import Shipping
from web.words import day, dollars, moment, number, plural


class Level(IntEnum):
    """How well a part is; its word stands beside every sign and colour."""

    WELL = 0
    BUSY = 1
    LOOK = 2
    BROKEN = 3

    @property
    def word(self) -> str:
        """The level in a word."""
        return ("well", "at work", "look at it", "broken")[self]


class Part(NamedTuple):
    """A part of the service: how well it is, how it stands, what to do about it, if anything; `brief` is shorter, if given."""

    name: str
    level: Level
    stands: str
    advice: str = ""
    brief: str = ""


def summary(session: Session, zone: ZoneInfo) -> Part:
    """Return how the newest collection stands, which every page shows."""
    return _collections(latest(session), zone)


def parts(session: Session, collector: Collector, shipped: Shipping, zone: ZoneInfo) -> list[Part]:
    """Return all parts, those that concern people most first."""
    figures = service_metrics(session)
    return [
        *_database(collector),
        summary(session, zone),
        _schedule(figures, zone),
        _x(session, figures, collector, zone),
        _budget(session, collector),
        *_job_parts(session, zone),
        _logs(shipped),
    ]


def _database(collector: Collector) -> Iterator[Part]:
    if collector.read_only:
        said = "No primary of the database has answered since the start: what is stored can be read, and nothing is collected."
        yield Part("Database", Level.BROKEN, said, "It goes on by itself once there is a primary.")


def _collections(view: CollectionView | None, zone: ZoneInfo) -> Part:
    if view is None:
        return Part("Collection", Level.LOOK, "Nothing has been collected yet.", "Collect now, on the page of the collections.")
    done = sum(tag.state == "done" for tag in view.tags)
    of = f"{done} of {plural(len(view.tags), 'tag')}"
    if view.state == "running":
        return Part("Collection", Level.BUSY, f"A collection runs: {of} done, {plural(view.tweets_added, 'new tweet')}.")
    ended = moment(view.ended or view.started, zone)
    if view.state == "done":
        return Part("Collection", Level.WELL, f"Last collected {ended}: {plural(view.tweets_added, 'new tweet')}.")
    reason = view.error or next((tag.reason for tag in view.tags if tag.reason), None)
    level = Level.LOOK if view.state == "partial" else Level.BROKEN
    said = f"Of the last collection {of} were done" if view.state == "partial" else "The last collection failed"
    return Part("Collection", level, f"{said}, {ended}: {reason}.", advice(reason), brief=f"{said}, {ended}.")


def _schedule(figures: ServiceMetrics, zone: ZoneInfo) -> Part:
    kept = figures.schedule
    ended = figures.last_success
    last = f"The last good collection ended {moment(ended, zone)}." if ended else "No collection has succeeded yet."
    if kept is None:
        return Part("Schedule", Level.WELL, f"Collections are not scheduled. {last}", "COLLECT_EVERY schedules them.")
    if not kept.kept:
        gone = f"Nobody keeps the schedule any more. {last}"
        return Part("Schedule", Level.BROKEN, gone, "Start what kept it again: the service, or `python api.py --every`.")
    return Part("Schedule", Level.WELL, f"The next collection begins {moment(kept.due, zone)}. {last}")


def _x(session: Session, figures: ServiceMetrics, collector: Collector, zone: ZoneInfo) -> Part:
    if figures.refused:
        kind, until = next(iter(sorted(figures.refused.items())))
        blocks = "X sells nothing now" if kind in BLOCKING else "X refuses every request"
        waits = f", until {moment(until, zone)}" if until else ""
        return Part("X", Level.BROKEN, f"{blocks} ({kind}){waits}.", advice(REFUSALS.get(kind, "X is unwell")))
    if collector.source.name == EMULATOR:
        return Part("X", Level.WELL, "A built-in emulator stands in for X.", "Set the credentials of X to collect real tweets.")
    if trouble := stuck(session, zone):
        return trouble
    asked = sum(figures.x_requests.values())
    left = figures.rate_limit_remaining
    window = f" Its window still allows {plural(left, 'request')}." if left is not None else ""
    failed = asked - figures.x_requests.get("ok", 0)
    said = f"X answered {number(asked - failed)} of {plural(asked, 'request')}." if asked else "X was not asked yet."
    return Part("X", Level.WELL, said + window)


def stuck(session: Session, zone: ZoneInfo) -> Part | None:
    """Return what holds up whoever asks X, None where its last answer was as it should be."""
    last = last_answer(session)
    if last is None or last[0] not in UNWELL:
        return None
    says, begins = UNWELL[last[0]]
    return Part("X", Level.LOOK, f"{says} when it was asked last, {moment(last[1], zone)}.", advice(begins))


def _budget(session: Session, collector: Collector) -> Part:
    view, budget = collector.outlook(session), collector.order.billing.budget
    used = view.used
    if budget is None:
        return Part("Budget", Level.WELL, f"At most {dollars(used)} spent this billing month, without a budget.")
    stands = f"At most {dollars(used)} of {dollars(budget)} spent until {day(view.end)}; {dollars(view.forecast)} at this rate."
    if budget - used < collector.order.billing.prices.most(SMALLEST_PAGE):
        said = f"{stands} What is left does not pay for the smallest request."
        return Part("Budget", Level.BROKEN, said, advice("the budget of"))
    if view.forecast > budget:
        return Part("Budget", Level.LOOK, stands, "At this rate the budget ends before the month: it is never exceeded.")
    return Part("Budget", Level.WELL, stands)


def _job_parts(session: Session, zone: ZoneInfo) -> Iterator[Part]:
    """Give the chores that could not be done, or that all were."""
    done = job_states(session)
    for chore in done:
        if chore.has_failed:
            since = moment(chore.succeeded, zone)
            yield Part(f"Chore “{chore.name}”", Level.LOOK, f"{chore.error}. It was done last: {since}.", advice(chore.error))
    if done and not any(chore.has_failed for chore in done):
        names = ", ".join(f"{chore.name} {moment(chore.succeeded, zone)}" for chore in done if chore.succeeded)
        yield Part("Chores", Level.WELL, f"Done last: {names}." if names else "They have begun.")


def _logs(shipped: Shipping) -> Part:
    if not shipped.enabled:
        return Part("Logs", Level.WELL, "Records go to stdout only.", "LOGSTASH_HOST ships them to Logstash as well.")
    stands = f"{plural(shipped.sent, 'record')} shipped since the start, {number(shipped.queued)} waiting."
    if shipped.queued and not shipped.sent:
        return Part("Logs", Level.LOOK, f"Logstash has taken no record yet, {number(shipped.queued)} wait.", LOGSTASH_AWAY)
    if shipped.dropped:
        lost = f"{stands} {plural(shipped.dropped, 'record')} dropped."
        return Part("Logs", Level.LOOK, lost, LOGSTASH_AWAY)
    return Part("Logs", Level.WELL, stands)


LOGSTASH_AWAY = "Look whether Logstash answers at LOGSTASH_HOST; stdout has every record."
UNWELL = {
    "rate-limit": ("X's rate limit was reached", "X's rate limit"),
    "unwell": ("X did not answer as it should", "X is unwell"),
}
REFUSALS = {
    "credits": "billing blocked until credits",
    "usage-cap": "billing blocked until X's next",
    "spend-cap": "billing blocked",
    "unauthorized": "X refuses the credentials",
    "not-enrolled": "X refuses the app",
}
