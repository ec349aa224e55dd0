"""How far back an endpoint looks.

X's documentation: recent search and counts know seven days; the archive begins with the first post of all, and
a listing of it that names no beginning covers the 30 days before its end.
"""

from __future__ import annotations

from typing import NamedTuple

from emulator.world.slots import WEEK_MS

ARCHIVE_MS = 1_143_331_200_000  # 2006-03-26
_MONTH_MS = 30 * 24 * 3600 * 1000


class SearchReach(NamedTuple):
    """back_ms: None for the whole archive; longest: characters of a query; most: posts of a page."""

    name: str
    back_ms: int | None
    longest: int
    most: int

    def oldest(self, now_ms: int) -> int:
        """Return the oldest instant that may be asked for."""
        return ARCHIVE_MS if self.back_ms is None else now_ms - self.back_ms

    def start(self, end_ms: int, now_ms: int) -> int:
        """Return where a listing begins that names only its end."""
        return self.oldest(now_ms) if self.back_ms is not None else end_ms - _MONTH_MS


RECENT = SearchReach("recent", WEEK_MS, longest=512, most=100)
ARCHIVE = SearchReach("all", None, longest=1024, most=500)
