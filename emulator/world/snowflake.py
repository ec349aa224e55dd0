"""Ids that carry their time.

X's documentation: an id holds the milliseconds since X's own epoch in the bits above the lowest 22.
Instants inside this package are integers: milliseconds since 1970, UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH_MS = 1288834974657
LOW_BITS = 22
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(post_id: int) -> int:
    """Return when an id was made, in milliseconds since 1970."""
    return (post_id >> LOW_BITS) + EPOCH_MS


def first_id(at_ms: int) -> int:
    """Return the smallest id of a millisecond, never negative."""
    return max(at_ms - EPOCH_MS, 0) << LOW_BITS


def to_datetime(at_ms: int) -> datetime:
    """Return an aware UTC datetime."""
    return _UNIX_EPOCH + at_ms * _MILLISECOND


def to_ms(at: datetime) -> int:
    """Return milliseconds since 1970 of an aware datetime, rounded down."""
    return (at.astimezone(UTC) - _UNIX_EPOCH) // _MILLISECOND


def rfc3339(at_ms: int) -> str:
    """Return X's spelling of an instant: UTC, milliseconds, Z."""
    return to_datetime(at_ms).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse_instant(text: str) -> int:
    """Return the milliseconds of an RFC 3339 instant. Raises ValueError, also when it names no zone."""
    if len(text) < len("2026-01-01T00:00:00Z") or text[10] not in "Tt":
        raise ValueError(f"{text!r} is no RFC 3339 instant")
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    return to_ms(at)
