"""Watches in people's words: what one tells of and to whom, and a name for a new one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from queries.watch_states import WatchDelivery
from queries.watches import StoredWatch
from schemas.filter_words import filter_words
from schemas.views import LONGEST_NAME
from text.phrases import enumeration, moment, plural
from watches.definitions import WatchDefinition, read_definition
from watches.wording import subject

WEEKDAYS = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}
ALL = "all tracked tags"
NAMED_FIRST = ("tag", "any_tag", "q")
QUOTES = "“”"
"""Left out of suggested names, because messages and pages put names in quotes."""


class WatchKind(NamedTuple):
    """A kind of watch: its title, what it tells of, and how a name of one begins."""

    title: str
    says: str
    name: str


WATCH_KINDS = {
    "spike": WatchKind("Spikes", "an hour or a day that has far more tweets than usual, and why", "Spikes of"),
    "threshold": WatchKind("Threshold", "more, or fewer, tweets than a number in an hour or a day", "Number of"),
    "new": WatchKind("New tweets", "each tweet that a collection finds", "New tweets of"),
    "digest": WatchKind("Digest", "a summary, daily or weekly", "Digest of"),
}


def watch_subject(definition: WatchDefinition) -> str:
    """Return all filters in words, such as `#devops “outage”, language en`; all tracked tags without any."""
    pairs = parse_qsl(definition.filters)
    rest = [" ".join(filter_words(name, value)) for name, value in pairs if name not in NAMED_FIRST]
    first = [subject(definition)] if len(rest) < len(pairs) else []
    return ", ".join([*first, *rest]) or ALL


def watch_sentence(definition: WatchDefinition, zone: ZoneInfo) -> str:
    """Return what a watch tells of, without its filters, such as `Each hour with more than 100 tweets`.

    Its time zone is named if it is not that of the page.
    """
    one, place = definition, "" if definition.tz == zone.key else f" ({definition.tz})"
    bucket = f"{one.bucket}{place}"
    if one.kind == "spike":
        return f"Each {bucket} with far more tweets than usual"
    if one.kind == "threshold":
        if one.more_than is not None:
            return f"Each {bucket} with more than {plural(one.more_than, 'tweet')}"
        return f"Each {bucket} with fewer than {plural(one.less_than or 0, 'tweet')}"
    if one.kind == "new":
        return f"Each new tweet, at most {one.max_tweets} in a message"
    if one.is_weekly:
        return f"Every {WEEKDAYS[one.weekday or 'mon']} at {one.at}{place}, the week before"
    return f"Every day at {one.at}{place}, the day before"


def spikes_begin(definition: WatchDefinition, begin: datetime) -> str:
    """Return from when on a watch can tell spikes, and why, as a sentence."""
    enough = "24 days are" if definition.bucket == "day" else "a day of hours is"
    return f"Spikes can be told from {moment(begin, definition.zone)} on, when {enough} collected."


def watch_limits(definition: WatchDefinition) -> str:
    """Return when a watch holds messages back, as a sentence."""
    first, _, end = (definition.quiet or "").partition("-")
    quiet = f", none from {first} to {end}" if definition.quiet else ""
    return f"At most {plural(definition.most_a_day, 'message')} a day{quiet}, by the time of {definition.tz}."


def watch_state(watch: StoredWatch, sent: Sequence[WatchDelivery], zone: ZoneInfo) -> list[tuple[str, str]]:
    """Return how a watch fares, as a level of a sign and a sentence each: the newest message, what waits, what is wrong."""
    is_paused, last = read_definition(watch.definition).paused, max((one.sent for one in sent if one.sent), default=None)
    waiting, failing = sum(one.waiting for one in sent), [one.destination for one in sent if one.is_failing]
    told = [("none", "Paused")] if is_paused else []
    told += [("attention", f"{enumeration(failing)} can't be reached")] if failing else []
    told += [("none", f"The newest message was not sent: {one}") for one in dict.fromkeys(one.dropped for one in sent) if one]
    if watch.silent_since is not None and not is_paused:
        since = moment(datetime.fromtimestamp(watch.silent_since, UTC), zone)
        told.append(("attention", f"Nothing was collected since {since}"))
    told += [("running", f"{plural(waiting, 'message')} {'waits' if waiting == 1 else 'wait'}")] if waiting else []
    told += [("none", f"{plural(watch.held_back, 'message')} held back")] if watch.held_back else []
    return [*told, ("ok", f"Last message sent {moment(last, zone)}") if last else ("none", "No message sent yet")]


def suggested_name(kind: str, filters: str, taken: Collection[str]) -> str:
    """Return a name for a new watch that no other has."""
    name = f"{WATCH_KINDS[kind].name} {watch_subject(WatchDefinition(kind, filters, ()))}".replace("/", " ")
    name = "".join(one for one in name if one.isprintable() and one not in QUOTES)[:LONGEST_NAME].strip()
    numbered = (f"{name[: LONGEST_NAME - 4]} {number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(one for one in numbered if one not in taken)
