"""The status of parts of the service: how well each is, in one sentence, and what to do about a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from queries.collections import CollectionView, latest
from queries.counters import ScheduleState, last_answer, schedule
from text.phrases import duration, moment, plural

CONTINUES = "The next collection continues where this one stopped; no tweet is lost or bought twice."
NEW_KEYS = "Create new keys in X's developer portal, put them into .env.local and restart the service."
ADVICE = {
    "unauthorized": NEW_KEYS,
    "suspended": "X's developer portal says why, and how to appeal; or create an app there and put its keys into .env.local.",
    "moved": f"Set TWITTER_API_URL as the collection's error says, and restart the service. {CONTINUES}",
    "blocked": f"Ask X's support, or let the service reach the internet from another address. {CONTINUES}",
    "not-offered": "No part of the service is at fault. Delete by hand what you know to be deleted at X, or ask X for access.",
    "not-enrolled": "Attach the app to a project in X's developer portal, create new keys and restart the service.",
    "credits": f"Buy credits in X's developer portal. {CONTINUES}",
    "usage-cap": f"Wait for X's next billing period, or raise the cap at X. {CONTINUES}",
    "spend-cap": f"Raise the spending cap in X's developer portal, or wait until that day. {CONTINUES}",
    "budget": f"Raise MONTHLY_BUDGET_USD, or wait for the next billing month. {CONTINUES}",
    "reserved": "Wait a minute and collect again.",
    "rate-limit": f"Wait 15 minutes and collect again. {CONTINUES}",
    "daily-limit": f"Wait until then, or collect less often. {CONTINUES}",
    "unwell": f"X did not answer properly. Collect again in a few minutes. {CONTINUES}",
    "endless": "X sent the same posts again and again. What is left is a gap, which the next collection tries to fill.",
    "quote": "Run the same backfill again: it shows a new price and continues where this one stopped.",
    "refused": "Check the tag's rules: X rejected the query that they make.",
    "fields": "X has changed the fields of posts: update this service. Until then each collection buys one page.",
    "stale": "Check the tag's rules: X rejected the query that they make.",
    "interrupted": CONTINUES,
    "refresh-off": "Compare X's developer console with the spend. If reading again was free, switch it on again on the page "
    "Read tweets again, which Schedule links to, or by `python api.py --refresh-on`. If it was not, set REFRESH=off.",
    "crash": f"This is a bug; the log has the details. {CONTINUES}",
    "real-tweets": "Set the credentials of X, or set DATABASE_URL to another database.",
    "invented-tweets": "Set DATABASE_URL to another database, or delete the invented tweets with DELETE /database.",
}
"""What to do, by the kind of a failure."""

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


def advice(kind: str | None) -> str:
    """Return what to do about a failure of this kind; None is a failure from before kinds were recorded."""
    return ADVICE.get(kind or "", f"The log has more details. {CONTINUES}")


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
