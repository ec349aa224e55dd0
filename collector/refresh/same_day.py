"""The scheduled job `refresh`: what was bought on a UTC day is read again on its evening, when X charges nothing more for it.

The rule, by X's clock:
1. Between 22:00 and 23:30 UTC, the shown versions of stored tweets that were bought on that day, and whose payload was read at
   least an hour before the first look, are requested by their ids: the lowest first, 100 a request, each once.
2. X's own count of sold posts is asked for before the first request, after it, ten minutes later, then after every ten requests
   (after a hundred, every time their number has grown by a tenth), at the end, and ten minutes after that. The rise is what
   X's count has grown by since the beginning, less what the ledger has: booked posts and those of lost answers. Where posts
   came in the five minutes before the beginning, which X may not have counted yet, it begins ten minutes later; from 22:30 on
   it begins all the same, and they are not part of the rise.
3. If the rise is more than 1 % of the posts that were read again, or if X gives no count, refreshing goes off.
4. What X does not find is removed. If that is more than 20 % of a request, nothing of it is removed and nothing more is read
   for an hour; then these ids are requested once more, and what X still does not find is removed.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from sqlalchemy.orm import Session

from collector.backups.sweeping import rewrite_file
from collector.refresh import records
from collector.refresh.day_looks import CLOSES, OPENS, DayLooks, WindowClosed
from collector.refresh.lookups import LookUps, is_reading, look_ups
from collector.refresh.sales import CountedSales, counted_sales, uncounted_posts
from collector.runs.collector import Collector
from collector.tweets import erasure
from collector.x.clock import XClock
from collector.x.failures import LIMITS, XFailure
from queries.counters import is_x_time_known, x_now
from queries.refreshing import RefreshDay, refresh_day, refresh_off, seemingly_gone, unread_of_day

log = logging.getLogger(__name__)

PATIENT_UNTIL, COUNTED_UNTIL = time(22, 30), time(23, 45)
EVERY, ONE_DAY = timedelta(minutes=10), timedelta(days=1)
COUNTED_EVERY = 10
MOST_RISE = 100
"""If X's count rises by more than one in so many posts that were read, it goes off."""
NO_COUNT = "X gave no count of what it sold, which shows whether reading again is free: {}"
ROSE = "X's count rose by {} posts while {} were read again, which should have cost nothing"
TEMPORARY = (*LIMITS, "unwell")


class RefreshStopped(Exception):
    """Refreshing went off by itself; the text says why."""

    kind = "refresh-off"


def has_work(session: Session, clock: XClock) -> bool:
    """Whether the tweets of the day are to be read again now, or X's count is to confirm that it was free of charge."""
    if not (clock.is_known or is_x_time_known(session)) or refresh_off(session):
        return False
    now, record = clock.now() if clock.is_known else x_now(session), refresh_day(session)
    is_begun = record is not None and record.day == now.toordinal()
    if is_begun and record and record.done:
        return False
    return OPENS <= now.time() < (COUNTED_UNTIL if is_begun else CLOSES) and not is_reading(session)


def refresh_today(collector: Collector, stop: threading.Event) -> None:
    """Read the tweets of the day again, as far as that is due now; raises RefreshStopped, and as LookUps.look does."""
    with look_ups(collector, stop) as using:
        try:
            SameDay(using).run()
        finally:
            erasure.erase(collector.database, rewrite=None if stop.is_set() else rewrite_file)


def missed_day(session: Session, *, now: datetime) -> date | None:
    """Return the day (UTC) of the newest evening that is over by X's clock if no look began then although one was due."""
    evening = datetime.combine(now if now.time() >= CLOSES else now - ONE_DAY, OPENS, UTC)
    record, due = refresh_day(session), unread_of_day(_new_day(evening), most=1)
    is_begun = record is not None and record.day >= evening.toordinal()
    return None if is_begun or session.scalar(due) is None else evening.date()


class SameDay:
    """A part of a day's refreshing. Where it was interrupted, the next one goes on."""

    def __init__(self, using: LookUps) -> None:
        self._using, self._clock = using, using.x.clock
        self._plan = DayLooks(self._clock, using.x.longest).plan

    def run(self) -> None:
        """Do the first look of a day alone, and all others at least ten minutes later; X's count decides whether to go on."""
        if not self._clock.is_known:
            self._using.tries.ask(self._using.app.usage)
        record = self._record(self._clock.now()) or self._begin()
        if record is None:
            return
        is_first = not record.looks
        if not is_first:
            self._check()
        looks = self._read(most=1) if is_first else self._read()
        if looks:
            self._check()
        else:
            self._end()

    def _record(self, now: datetime) -> RefreshDay | None:
        """Return the record of this day if it has begun."""
        with self._using.database.reading() as session:
            record = refresh_day(session)
        return record if record and record.day == now.toordinal() else None

    def _begin(self) -> RefreshDay | None:
        """Begin the day with X's count; returns None if nothing is to be read now, which may change within the window."""
        using, now = self._using, self._clock.now()
        if not OPENS <= now.time() < CLOSES:
            return None
        with using.database.reading() as session:
            is_empty = session.scalar(unread_of_day(_new_day(now), most=1)) is None
            is_late = uncounted_posts(session, now=now) > 0
        if is_empty or (is_late and now.time() < PATIENT_UNTIL):
            return None
        return using.write(partial(self._record_beginning, self._first_count()))

    def _first_count(self) -> CountedSales:
        using = self._using
        try:
            return counted_sales(using.database, using.app, using.tries, using.stop)
        except XFailure as failure:
            if failure.kind in TEMPORARY:
                raise
            raise self._switch_off(NO_COUNT.format(failure)) from failure

    def _record_beginning(self, sold: CountedSales, session: Session) -> RefreshDay:
        ours = sold.our_posts - uncounted_posts(session, now=sold.observed)
        begun = _new_day(self._clock.now())._replace(x_posts=sold.x_posts, our_posts=ours)
        records.forget_second_look(session)
        records.record_day(session, begun)
        return begun

    def _read(self, *, most: int | None = None) -> int:
        """Read again what is left, and return how many requests that took."""
        looks, counted_at = 0, COUNTED_EVERY
        try:
            while looks != most and self._using.look(self._plan):
                looks += 1
                if looks == counted_at:
                    self._check()
                    counted_at += max(COUNTED_EVERY, looks // COUNTED_EVERY)
        except WindowClosed:
            log.info("too late to read more tweets again today", extra={"looks": looks})
        return looks

    def _check(self) -> None:
        """Compare X's count with what it was at the beginning of the day; raises RefreshStopped."""
        using = self._using
        try:
            sold = counted_sales(using.database, using.app, using.tries, using.stop)
        except XFailure as failure:
            if failure.kind in LIMITS:
                raise
            raise self._switch_off(NO_COUNT.format(failure)) from failure
        with using.database.reading() as session:
            record = refresh_day(session)
        if record is None or record.day != sold.observed.toordinal():
            return  # X's count may have begun anew with the month
        rise = (sold.x_posts - record.x_posts) - (sold.our_posts - record.our_posts)
        log.info("refreshing compared with X's count", extra={"posts": record.read, "rise": rise})
        if rise * MOST_RISE > record.read:
            raise self._switch_off(ROSE.format(rise, record.read))

    def _switch_off(self, reason: str) -> RefreshStopped:
        self._using.write(lambda session: records.switch_off(session, reason))
        log.error("refreshing went off by itself", extra={"reason": reason})
        return RefreshStopped(f"refreshing went off by itself: {reason}")

    def _end(self) -> None:
        """Record that the day is done, unless something waits for its second look."""

        def end(session: Session) -> RefreshDay | None:
            record = refresh_day(session)
            if record is None or (seemingly_gone(session) and self._clock.now().time() < CLOSES):
                return None
            records.forget_second_look(session)
            records.record_day(session, record._replace(done=1))
            return record

        if record := self._using.write(end):
            log.info("tweets of the day read again", extra={"posts": record.read, "looks": record.looks})


def _new_day(now: datetime) -> RefreshDay:
    return RefreshDay(now.toordinal(), int(now.astimezone(UTC).timestamp()))
