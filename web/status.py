"""The status of parts of the service: how well each is, in one sentence, and what to do about a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from queries.collections import CollectionView, latest
from queries.counters import ScheduleState, last_answer, schedule
from text.advice import advice
from text.phrases import duration, moment, plural

COLLECT = "Collect on the page Collections, or choose an interval on the page Schedule."
OLDEST_UNSCHEDULED = timedelta(days=1)
X_TROUBLE = {
    "rate-limit": "X's rate limit was reached",
    "daily-limit": "X's limit of 24 hours was reached",
    "blocked": "Cloudflare blocked this machine",
    "unwell": "X did not answer properly",
}


class Level(IntEnum):
    """How well a part is. Its word is shown beside every sign and colour."""

    OK = 0
    RUNNING = 1
    ATTENTION = 2
    BROKEN = 3

    @property
    def word(self) -> str:
        """The level in words."""
        return ("OK", "running", "needs attention", "broken")[self]


class Part(NamedTuple):
    """A part of the service: its level, its state in a sentence, and advice if there is something to do.

    `brief` is a shorter sentence for the head of each page.
    """

    name: str
    level: Level
    state: str
    advice: str = ""
    brief: str = ""


def collection_status(session: Session, zone: ZoneInfo) -> Part:
    """Return the status of the newest collection, which every page shows."""
    view = latest(session)
    if view is None:
        return Part(
            "Collection", Level.ATTENTION, "Nothing has been collected yet.", "Start a collection on the page Collections."
        )
    done = f"{sum(tag.state == 'done' for tag in view.tags)} of {plural(len(view.tags), 'tag')}"
    if view.state == "running":
        return Part("Collection", Level.RUNNING, f"Collecting: {done} done, {plural(view.tweets_added, 'new tweet')}.")
    ended = moment(view.ended or view.started, zone)
    if view.state == "done":
        if old := outdated(view.ended or view.started, schedule(session)):
            return Part("Collection", Level.ATTENTION, f"{old} {ended}.", COLLECT)
        return Part("Collection", Level.OK, f"Last collected {ended}: {plural(view.tweets_added, 'new tweet')}.")
    return _failed_collection(view, done, ended)


def outdated(collected: datetime, every: ScheduleState | None) -> str:
    """Return how old the data is, if that is more than twice the schedule's interval, or than a day without a schedule."""
    age = datetime.now(UTC) - collected
    longest = timedelta(seconds=2 * every.every) if every else OLDEST_UNSCHEDULED
    return f"The newest data is {duration(age)} old: last collected" if age > longest else ""


def _failed_collection(view: CollectionView, done: str, ended: str) -> Part:
    is_partial = view.state == "partial"
    what = f"The last collection finished {done}" if is_partial else "The last collection failed"
    level = Level.ATTENTION if is_partial else Level.BROKEN
    reason, kind = view.problem or (None, None)
    return Part("Collection", level, f"{what}, {ended}: {reason}.", advice(kind), brief=f"{what}, {ended}.")


def x_trouble(session: Session, zone: ZoneInfo) -> Part | None:
    """Return what delays requests to X; None if X's last answer was in order."""
    last = last_answer(session)
    if last is None or last[0] not in X_TROUBLE:
        return None
    kind, when = last
    return Part("X", Level.ATTENTION, f"{X_TROUBLE[kind]} at the last request, {moment(when, zone)}.", advice(kind))
