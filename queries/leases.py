"""Leases: who holds one now."""

from __future__ import annotations

import time

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from models import Lease

COLLECTOR = "collector"
CALLS = "calls"
FARTHEST_S = 120  # no holder asks for more; an end beyond it was written while this machine's clock was ahead


def live_token(session: Session) -> int | None:
    """Return the token of the collector's lease while somebody holds it, else None."""
    return session.scalar(select(Lease.token).where(is_live(COLLECTOR)))


def is_live(name: str) -> ColumnElement[bool]:
    """Find a lease if somebody holds it."""
    ends = Lease.expires.between(now_ms() + 1, now_ms() + FARTHEST_S * 1000)
    return and_(Lease.name == name, Lease.holder.is_not(None), ends)


def now_ms() -> int:
    """Return the epoch millisecond."""
    return int(time.time() * 1000)
