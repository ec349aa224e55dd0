"""The looks at a day's purchases: which ids come next, when they may be requested, and what is done with what is gone."""

from __future__ import annotations

import logging
from datetime import time, timedelta

from sqlalchemy.orm import Session

from collector.refresh import records
from collector.refresh.looks import MANY_GONE, MOST_GONE, MOST_IDS, Look, LookPlan, LookStored
from collector.tweets.deletions import delete_tweet
from collector.x.clock import XClock
from queries.refreshing import OLD_ENOUGH, refresh_day, seemingly_gone, unread_of_day

log = logging.getLogger(__name__)

OPENS, CLOSES = time(22), time(23, 30)
"""When requests may be sent (UTC), by X's clock."""


class WindowClosed(Exception):
    """It is too late for another request on this day."""


class DayLooks:
    """Chooses the looks of the day that is recorded; `longest` is how long an answer may take."""

    def __init__(self, clock: XClock, longest: timedelta) -> None:
        self._clock, self._longest = clock, longest

    @property
    def plan(self) -> LookPlan:
        """The plan of these looks, which cost nothing."""
        return LookPlan(
            choose=self._choose,
            chosen=self._chosen,
            undo=self._undo,
            allow=self._allow,
            gone=self._gone,
            stored=self._stored,
            is_free=True,
        )

    def _allow(self) -> None:
        """Raise WindowClosed unless the request, and its answer, come in time and surely on the day that has begun."""
        now, days = self._clock.now(), self._clock.days(ahead=self._longest)
        if not OPENS <= now.time() < CLOSES or not days.sure:
            raise WindowClosed

    def _choose(self, session: Session) -> Look | None:
        """Return the next ids: those of a second look that is due, nothing while one waits, else what was not read yet."""
        record, waiting = refresh_day(session), seemingly_gone(session)
        if record is None or record.day != self._clock.now().toordinal():
            return None
        if waiting:
            is_due = max(waiting.values()) <= self._clock.now() - OLD_ENOUGH
            return Look(sorted(waiting)[:MOST_IDS], is_second=True, before=record.after) if is_due else None
        ids = session.scalars(unread_of_day(record, most=MOST_IDS)).all()
        return Look(list(ids), before=record.after) if ids else None

    def _chosen(self, session: Session, look: Look) -> None:
        """Record that these ids are requested now, so that no other request asks for them on this day."""
        record = refresh_day(session)
        if record is None:
            return
        after = record.after if look.is_second else look.ids[-1]
        records.record_day(session, record._replace(after=after, looks=record.looks + 1))
        if look.is_second:
            records.forget_second_look(session, look.ids)

    def _undo(self, session: Session, look: Look) -> None:
        """Let ids be requested again that X did not answer."""
        record = refresh_day(session)
        if record is None:
            return
        records.record_day(session, record._replace(after=look.before, looks=record.looks - 1))
        if look.is_second:
            records.await_second_look(session, look.ids, now=self._clock.now() - OLD_ENOUGH)

    def _gone(self, session: Session, look: Look, gone: frozenset[int]) -> int:
        """Remove what is gone as compliance does, with tombstones; after a first look only if it is at most a fifth of the ids.

        X requires that a deleted post is deleted here, too. An X that is ill must not delete everything.
        """
        if MOST_GONE * len(gone) > len(look.ids) and not look.is_second:
            records.await_second_look(session, gone, now=self._clock.now())
            log.warning(MANY_GONE, extra={"ids": len(gone)})
            return 0
        return sum(delete_tweet(session, one) for one in gone)

    def _stored(self, session: Session, _look: Look, stored: LookStored) -> None:
        if record := refresh_day(session):
            records.record_day(session, record._replace(read=record.read + stored.posts))
