"""X's time. Ids and bills follow X's clock, and this machine's may be wrong or jump."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from collector.x.parsing import FIRST_TWEET, LAST_TWEET

UNSURE = timedelta(seconds=5)
SET_BACK = timedelta(minutes=1)


class XClock:
    """A lower bound of X's time, from the Date of its answers and the time that has passed since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._date: datetime | None = None
        self._heard = 0.0

    @property
    def known(self) -> bool:
        """Tell whether X has answered this process."""
        return self._date is not None

    def now(self) -> datetime:
        """Return X's time (UTC), or a little later; before its first answer this machine's, less what that may be wrong by."""
        with self._lock:
            return self._now()

    def tell(self, date: datetime) -> None:
        """Take the Date of an answer that came just now; one that is much too early means that X's clock was set back."""
        with self._lock:
            if self._date is None or date > self._now() or date < self._now() - SET_BACK:
                self._date, self._heard = date, time.monotonic()

    def _now(self) -> datetime:
        if self._date is None:
            return datetime.now(UTC) - UNSURE
        return self._date + timedelta(seconds=time.monotonic() - self._heard)


def date(header: str | None) -> datetime | None:
    """Return the time (UTC) of a Date header, or None for one that can't be read or at which there were no tweets."""
    try:
        told = parsedate_to_datetime(header or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return told if FIRST_TWEET <= told <= LAST_TWEET else None
