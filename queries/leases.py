"""Leases: who holds one now."""

from __future__ import annotations

import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Lease

COLLECTOR = "collector"


def live_token(session: Session) -> int | None:
    """Return the token of the collector's lease while somebody holds it, else None."""
    held = select(Lease.token).where(Lease.name == COLLECTOR, Lease.holder.is_not(None), Lease.expires > now_ms())
    return session.scalar(held)


def now_ms() -> int:
    """Return the epoch millisecond."""
    return int(time.time() * 1000)
