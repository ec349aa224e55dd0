"""X's time. Ids and bills follow X's clock; this machine's clock may be wrong or jump."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from datetime import date as date_
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from collector.x.parsing import FIRST_TWEET, LAST_TWEET

UNSURE = timedelta(seconds=5)
SKEW = timedelta(minutes=11)
JUMP = timedelta(minutes=1)


class Days(NamedTuple):
    """The UTC days on which X may bill a request: the first, the likeliest and the last."""

    first: date_
    likely: date_
    last: date_

    @property
    def sure(self) -> bool:
        """Whether only one day is possible."""
        return self.first == self.last

    @property
    def others(self) -> list[date_]:
        """The first and last day without the likeliest."""
        return sorted({self.first, self.last} - {self.likely})

    def cover(self, days: Days) -> bool:
        """Tell whether all of `days` are among these."""
        return self.first <= days.first and days.last <= self.last

    def and_also(self, days: Days) -> Days:
        """Return the range that also includes `days`."""
        return Days(min(self.first, days.first), self.likely, max(self.last, days.last))


class AnswerDate(NamedTuple):
    """The Date of an answer, and the monotonic time at which it arrived."""

    date: datetime
    arrived: float

    def now(self) -> datetime:
        """Return the present time (UTC) by this Date."""
        return self.date + timedelta(seconds=time.monotonic() - self.arrived)


class XClock:
    """A lower bound of X's time, from the Date of its answers and the time that has passed since.

    A Date may be wrong by up to SKEW. One that differs from the expected time by more than JUMP is accepted when a second
    answer confirms it; until then, X may bill by either.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._confirmed: AnswerDate | None = None
        self._unconfirmed: AnswerDate | None = None
        self._ahead = timedelta()

    @property
    def is_known(self) -> bool:
        """Tell whether X has answered this process."""
        return self._confirmed is not None

    @property
    def is_in_doubt(self) -> bool:
        """Tell whether X's last answer had another time that no second answer has confirmed."""
        return self._unconfirmed is not None

    def now(self) -> datetime:
        """Return X's time (UTC) or slightly earlier; before its first answer this machine's time less UNSURE."""
        with self._lock:
            return self._now()

    def set_by_answer(self, date: datetime) -> None:
        """Set the clock by the Date of an answer that arrived just now, whatever its status."""
        with self._lock:
            answer = AnswerDate(date, time.monotonic())
            if self._confirmed is None or (self._unconfirmed and abs(date - self._unconfirmed.now()) <= JUMP):
                self._confirmed = answer
            elif abs(date - self._now()) > JUMP:
                self._unconfirmed = answer
                return
            elif date > self._now():
                self._confirmed = answer
            self._unconfirmed, self._ahead = None, self._now() - datetime.now(UTC)

    def days(self, *, ahead: timedelta = timedelta()) -> Days:
        """Return the days on which X may bill what it answers between now and `ahead` later."""
        with self._lock:
            return self._days(self._times(), ahead)

    def billed_days(self, date: datetime, sent: Days) -> Days:
        """Return the days on which X may have billed an answer with this Date that arrived just now."""
        with self._lock:
            days = self._days([*self._times(), date], timedelta())
        return days._replace(likely=date.date()).and_also(sent)

    def _days(self, times: list[datetime], ahead: timedelta) -> Days:
        return Days((min(times) - SKEW).date(), self._now().date(), (max(times) + SKEW + ahead).date())

    def _times(self) -> list[datetime]:
        """Return the possible times: by the monotonic clock, by the wall clock (it runs during sleep), by a Date in doubt."""
        times = [self._now(), datetime.now(UTC) + self._ahead] if self._confirmed else [self._now()]
        return [*times, self._unconfirmed.now()] if self._unconfirmed else times

    def _now(self) -> datetime:
        return self._confirmed.now() if self._confirmed else datetime.now(UTC) - UNSURE


def date(header: str | None) -> datetime | None:
    """Return the time (UTC) of a Date header, or None if it can't be read or is outside the range of tweets' times."""
    try:
        when = parsedate_to_datetime(header or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return when if FIRST_TWEET <= when <= LAST_TWEET else None
