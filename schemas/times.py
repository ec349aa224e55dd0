"""Times as the API writes and reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
EXPECTED = "expected a time such as 2026-11-17T12:34:56Z"


def rfc3339(when: datetime | None) -> str | None:
    """Return an aware time as RFC 3339 in UTC to the second, such as 2026-11-17T12:34:56Z."""
    return f"{when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z" if when else None


def instant(text: str) -> datetime:
    """Read an RFC 3339 time as aware UTC; raises ValueError for anything else."""
    if not RFC3339.fullmatch(text):
        raise ValueError(text)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error
