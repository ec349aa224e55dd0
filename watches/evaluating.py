"""Evaluates watches: checks each, and records in one transaction what it tells and how far it was checked.

Nothing is told twice or lost if a process is killed or several evaluate: what is recorded must follow from the watch as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from zoneinfo import ZoneInfoNotFoundError

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable, QueryTooLong
from collector.runs.lease import refuse_while_restoring
from collector.runs.runs import running
from database.functions import among
from models import ToldTweet, Watch
from queries.counters import Stamp, stamp
from queries.gaps import first_id, gap_times, histories
from queries.watches import StoredWatch, stored_watch, stored_watches
from schemas.problems import BadInput
from watches.bucket_checks import check_buckets
from watches.checks import CheckResult, CheckTime, check_time
from watches.definitions import WatchDefinition, read_definition
from watches.digest_checks import check_digest
from watches.findings import UNCOLLECTED
from watches.limits import TellingLimits, told_today
from watches.new_checks import check_new
from watches.outbox import record

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=60)
NOT_EVALUATED = "watch not evaluated"
REMEMBERED = timedelta(days=9)
"""For how long it is remembered that a tweet was told: longer than it can be new."""
UNREADABLE = (BadInput, ZoneInfoNotFoundError, KeyError, TypeError, ValueError)


def utc_now() -> datetime:
    """Return our time (UTC)."""
    return datetime.now(UTC)


def check(session: Session, watch: StoredWatch, definition: WatchDefinition, time: CheckTime) -> CheckResult:
    """Return what a watch would tell that is moved on to a time, and the watch as it is then."""
    if definition.kind == "digest":
        return check_digest(watch, definition, time)
    checks = check_new if definition.kind == "new" else check_buckets
    return checks(session, watch, definition, time)


class Evaluator:
    """Evaluates the watches of a database. It leaves out a check that would find the same as its last one."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database, self._clock = database, clock
        self._seen: dict[int, tuple[CheckResult, Hashable]] = {}
        self._unreadable: set[str] = set()
        self._last: tuple[datetime, Stamp] | None = None

    def has_work(self, session: Session) -> bool:
        """Whether there are watches and a minute is over, or something was stored and no collection runs any more."""
        now, seen = self._clock(), stamp(session)
        is_due = self._last is None or not timedelta() <= now - self._last[0] < EVERY
        is_new = self._last is not None and seen != self._last[1] and running(session) is None
        return (is_due or is_new) and any(self._definition(one) for one in stored_watches(session))

    def evaluate(self, stop: Event) -> None:
        """Evaluate each watch once, until the event is set; raises DatabaseUnavailable."""
        now = self._clock()
        with self._database.reading() as session:
            watches, time, seen = stored_watches(session), check_time(session, now), stamp(session)
            data = _data(session, time)
        self._seen = {one.id: self._seen[one.id] for one in watches if one.id in self._seen}
        for watch in watches:
            definition = self._definition(watch)
            if stop.is_set():
                return
            if definition and not self._is_same(watch, data, time):
                self._try(watch, definition, data, now)
        self._last = now, seen

    def _try(self, watch: StoredWatch, definition: WatchDefinition, data: Hashable, now: datetime) -> None:
        """Evaluate a watch; one that takes too long or fails unexpectedly stops no other."""
        try:
            self._evaluate(watch, definition, data, now)
        except QueryTooLong as error:
            log.warning(NOT_EVALUATED, extra={"watch": watch.name, "reason": str(error)})
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception(NOT_EVALUATED, extra={"watch": watch.name})

    def _is_same(self, watch: StoredWatch, data: Hashable, time: CheckTime) -> bool:
        """Whether a check would find the same as the last one."""
        last, seen = self._seen.get(watch.id, (None, None))
        return last is not None and (last.watch, seen) == (watch, data) and time.x < last.again

    def _evaluate(self, watch: StoredWatch, definition: WatchDefinition, data: Hashable, now: datetime) -> None:
        with self._database.reading() as session:
            result = check(session, watch, definition, check_time(session, now))
        moved: StoredWatch | None = watch
        if result.found or result.watch != watch:
            moved = self._database.write(partial(_record, watch, definition, result, now))
        if moved:
            self._seen[watch.id] = (result._replace(found=[], watch=moved), data)

    def _definition(self, watch: StoredWatch) -> WatchDefinition | None:
        """Return the definition of a watch; None if it is paused, or can't be read any more, which is logged once."""
        try:
            definition = read_definition(watch.definition)
            _ = definition.asked, definition.zone, definition.length, definition.clock, definition.quiet_hours
        except UNREADABLE as error:
            if watch.definition not in self._unreadable:
                self._unreadable.add(watch.definition)
                log.warning(NOT_EVALUATED, extra={"watch": watch.name, "reason": f"{type(error).__name__}: {error}"})
            return None
        return None if definition.paused else definition


def _data(session: Session, time: CheckTime) -> Hashable:
    """Return what checks depend on besides the watches and the time."""
    return (stamp(session), time.running, time.grace, tuple(histories(session)), tuple(gap_times(session)))


def _record(
    watch: StoredWatch, definition: WatchDefinition, result: CheckResult, now: datetime, session: Session
) -> StoredWatch | None:
    """Record what a watch tells, move it on, and return it; None if it is no longer the watch that was checked."""
    refuse_while_restoring(session)
    tweets = [tweet for found in result.found for tweet in found.finding.tweets]
    if stored_watch(session, watch.name) != watch or _is_any_told(session, watch.id, tweets):
        return None
    limits = TellingLimits(definition, held_back=watch.held_back, told=told_today(session, watch.id, definition, now))
    postponed, silent = _record_messages(session, watch, result, limits, now), result.watch.silent_since
    moved = result.watch._replace(held_back=limits.held_back, silent_since=None if silent in postponed else silent)
    session.execute(update(Watch).where(Watch.id == watch.id).values(moved._asdict()))
    if tweets:
        session.execute(insert(ToldTweet), [{"watch_id": watch.id, "tweet_id": tweet} for tweet in tweets])
        old = ToldTweet.tweet_id < first_id(now - REMEMBERED)
        session.execute(delete(ToldTweet).where(ToldTweet.watch_id == watch.id, old))
    return moved


def _record_messages(
    session: Session, watch: StoredWatch, result: CheckResult, limits: TellingLimits, now: datetime
) -> list[float]:
    """Record what may be told now, and return the starts of the others, in epoch seconds."""
    others = list[float]()
    for one in result.found:
        before = limits.take(one.finding.kind, now)
        if before is None:
            others.append(one.finding.start.timestamp())
            if one.finding.kind == UNCOLLECTED and one.finding.end.timestamp() <= result.watch.checked_to:
                limits.held_back += 1  # it is not found again
        else:
            record(session, watch, [one.finding], held_back=before, now=now)
    return others


def _is_any_told(session: Session, watch_id: int, tweets: list[int]) -> bool:
    """Whether another process told one of these tweets since they were read."""
    told = select(ToldTweet.tweet_id).where(ToldTweet.watch_id == watch_id, among(ToldTweet.tweet_id, tweets))
    return bool(tweets) and session.scalar(told.limit(1)) is not None
