"""Times as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(when: datetime | None) -> str | None:
    """Return an aware time as RFC 3339 in UTC to the second, such as 2026-11-17T12:34:56Z."""
    return f"{when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z" if when else None
