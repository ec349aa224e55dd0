"""The collector's lease: one collector at a time, across threads, processes and machines.

A lease is a row that is taken by a conditional UPDATE and runs out by itself. Its token grows with each holder, and each
page is stored only while the token is still the holder's own, so that a holder that was presumed dead can't write.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from alchemy import upsert
from models import Lease
from queries.leases import COLLECTOR, now_ms

LASTS_S = 60
RENEWED_EVERY_S = 15


class LeaseLost(Exception):
    """Another holder has the lease; nothing more may be stored under it."""


def take(session: Session, holder: str) -> int | None:
    """Take the free lease and return its token, or None while another holds it."""
    now = now_ms()
    upsert(session, Lease, [{"name": COLLECTOR, "holder": None, "token": 0, "expires": 0}])
    free = update(Lease).where(Lease.name == COLLECTOR, Lease.expires <= now)
    taken = free.values(holder=holder, token=Lease.token + 1, expires=now + LASTS_S * 1000)
    return session.scalar(taken.returning(Lease.token))


def renew(session: Session, token: int) -> None:
    """Hold the lease for another LASTS_S seconds; raises LeaseLost."""
    if session.scalar(_RENEWED, {"mine": token, "until": now_ms() + LASTS_S * 1000}) is None:
        raise LeaseLost("another collector has taken over")


def give_back(session: Session, token: int) -> None:
    """Free the lease, if it is still the holder's own."""
    session.execute(update(Lease).where(Lease.name == COLLECTOR, Lease.token == token).values(holder=None, expires=0))


_leases: Any = Lease.__table__
_mine = (_leases.c.name == COLLECTOR, _leases.c.token == bindparam("mine"), _leases.c.holder.is_not(None))
_RENEWED = update(_leases).where(*_mine).values(expires=bindparam("until")).returning(_leases.c.token)
