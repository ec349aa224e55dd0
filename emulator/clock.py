"""The emulator's clock, which tests hold, set and advance."""

from __future__ import annotations

import threading
import time
from datetime import datetime

from emulator.world import snowflake

_FIRST_MS = 1_293_840_000_000  # 2011: X's ids begin in November 2010
_LAST_MS = 3_471_292_800_000  # 2080: half a year later the ids no longer fit into 63 bits


def _system_ms() -> int:
    return time.time_ns() // 1_000_000


class Clock:
    """Runs beside the system's clock at an offset, or stands still. Safe to use from several threads.

    hold, set and advance raise ValueError for an instant outside 2011 to 2079.
    """

    def __init__(self, at: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._offset_ms = 0
        self._held_ms = None if at is None else _check_range(snowflake.to_ms(at))

    @property
    def held(self) -> bool:
        """Whether the clock stands still."""
        return self._held_ms is not None

    def now_ms(self) -> int:
        """Return milliseconds since 1970, UTC."""
        with self._lock:
            return self._now_ms()

    def now(self) -> datetime:
        """Return the aware UTC instant."""
        return snowflake.to_datetime(self.now_ms())

    def hold(self, at: datetime | None = None) -> None:
        """Stand still, at an instant or where the clock is."""
        with self._lock:
            self._held_ms = self._now_ms() if at is None else _check_range(snowflake.to_ms(at))

    def set(self, at: datetime) -> None:
        """Jump to an instant; a held clock stays held, a running one runs on from there."""
        with self._lock:
            self._move(snowflake.to_ms(at))

    def advance(self, seconds: float) -> None:
        """Jump by so many seconds, backwards if negative."""
        with self._lock:
            self._move(self._now_ms() + round(seconds * 1000))

    def release(self) -> None:
        """Run on from the instant at which the clock stands."""
        with self._lock:
            if self._held_ms is not None:
                self._offset_ms, self._held_ms = self._held_ms - _system_ms(), None

    def reset(self) -> None:
        """Show the system's time again, running."""
        with self._lock:
            self._offset_ms, self._held_ms = 0, None

    def _now_ms(self) -> int:
        return _system_ms() + self._offset_ms if self._held_ms is None else self._held_ms

    def _move(self, at_ms: int) -> None:
        _check_range(at_ms)
        if self._held_ms is None:
            self._offset_ms = at_ms - _system_ms()
        else:
            self._held_ms = at_ms


def _check_range(at_ms: int) -> int:
    if not _FIRST_MS <= at_ms < _LAST_MS:
        raise ValueError("the clock goes from 2011 to 2079")
    return at_ms
