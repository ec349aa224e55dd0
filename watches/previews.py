"""Previews: what a watch would have told of a time that is past, by the same checks, from what is stored now."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from math import ceil
from operator import attrgetter
from time import monotonic
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Run
from queries.spikes import FEWEST_VALUES
from queries.watches import StoredWatch
from queries.zones import buckets
from watches.bucket_checks import collected_time
from watches.checks import LATEST, CheckTime, Found, check_time
from watches.definitions import WatchDefinition
from watches.evaluating import check
from watches.findings import UNCOLLECTED, Finding
from watches.limits import TellingLimits
from watches.sending import Render

MOST = 100
LASTING_S = 4.0  # a spike among a million tweets takes half a second to put into words
USUAL, LONGEST = timedelta(days=14), timedelta(days=90)
LONGEST_S = int(LONGEST.total_seconds())


class PreviewedMessage(NamedTuple):
    """A message as it would have been sent as plain text, and the start of what it is about (UTC)."""

    start: datetime
    title: str
    text: str


def preview(
    session: Session, name: str, definition: WatchDefinition, *, since: datetime, now: datetime, write: Render, most: int = MOST
) -> list[PreviewedMessage]:
    """Return the newest messages that a watch would have sent since a time (UTC), oldest first.

    They are `most` at most, and fewer if LASTING_S seconds are over before all are written.
    """
    put, shown, began = partial(write, session, name, definition), list[PreviewedMessage](), monotonic()
    for one, before in list(_told(session, name, definition, since, now))[: -most - 1 : -1]:
        if message := put(one.finding, held_back=before, now=one.at):
            shown.append(PreviewedMessage(one.finding.start, message.title, message.text))
        if monotonic() - began > LASTING_S:
            break
    return shown[::-1]


def spikes_from(session: Session, definition: WatchDefinition, *, now: datetime) -> datetime | None:
    """Return when the first bucket ends that can be a spike (UTC): the first with which enough are collected to compare it.

    What is still to come counts as collected. None for a watch of another kind, and if nothing was collected yet.
    """
    collected = collected_time(session, definition, now=check_time(session, now).x)
    if definition.kind != "spike" or not collected.periods:
        return None
    begin, last = collected.begin, collected.periods[-1][1]
    every = buckets(definition.zone, definition.length, begin, last + LONGEST_S)
    whole = (end for first, end in every if begin <= first and (last <= first or collected.covers(first, min(end, last))))
    return datetime.fromtimestamp(next(islice(whole, FEWEST_VALUES - 1, None)), UTC)


def newest_finding(session: Session, name: str, definition: WatchDefinition, *, now: datetime) -> Finding | None:
    """Return what a watch would have told last in the usual time of a preview."""
    return next((one.finding for one, _ in reversed(list(_told(session, name, definition, now - USUAL, now)))), None)


def _told(
    session: Session, name: str, definition: WatchDefinition, since: datetime, now: datetime
) -> Iterator[tuple[Found, int]]:
    """Yield what a watch would have told, with the number of messages held back before."""
    time, limits = check_time(session, now), TellingLimits(definition, held_back=0)
    begin = _begin(session, definition, since, time)
    if begin < now:
        watch = _watch_of(session, name, definition, begin)
        result = check(session, watch, definition, time._replace(latest=LATEST + (now - begin)))
        found = deque(sorted(result.found, key=attrgetter("at")))
        while found:
            one = found.popleft()
            one = one._replace(at=min(one.at, now))
            before = limits.take(one.finding.kind, one.at)
            if before is not None:
                yield one, before
            elif one.finding.kind == UNCOLLECTED:
                later = one._replace(at=limits.postponed_to(one.at))
                if later.at <= now and _is_found_still(later, definition, time):
                    insort(found, later, key=attrgetter("at"))
                else:
                    limits.held_back += 1


def _is_found_still(later: Found, definition: WatchDefinition, time: CheckTime) -> bool:
    """Whether it could still be found then that nothing was collected: the bucket in which that ended is not passed over."""
    last = int(later.finding.end.timestamp())
    [(_, end)] = buckets(definition.zone, definition.length, last - 1, last)
    return later.at.timestamp() < end + time.grace


def _begin(session: Session, definition: WatchDefinition, since: datetime, time: CheckTime) -> datetime:
    """Return since when a watch could tell anything: what it needs was collected for the first time later than asked for."""
    collected = collected_time(session, definition, now=time.x)
    first = datetime.fromtimestamp(collected.begin, since.tzinfo)
    return max(since, first) if collected.periods else since


def _watch_of(session: Session, name: str, definition: WatchDefinition, begin: datetime) -> StoredWatch:
    """Return a watch as it would be that was made at a time; its id is none that is stored."""
    after = session.scalar(select(func.max(Run.id)).where(Run.started < begin)) or 0
    checked_to = definition.begin_of(ceil(begin.timestamp()))
    return StoredWatch(0, name, definition.written(), begin, checked_to, after, None, None, 0)
