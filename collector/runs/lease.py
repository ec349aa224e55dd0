"""Leases: one collector at a time, and one process per scheduled job, across threads, processes and machines.

A lease is a row that a conditional UPDATE takes and that expires by itself. Its token grows with each holder. Each page is
stored only while the token is still the holder's own, so a holder that was presumed dead can't write.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from models import Lease
from queries.counters import COLLECTOR, FARTHEST_S, now_ms

T = TypeVar("T")

log = logging.getLogger(__name__)

LASTS_S = 60
RENEWED_EVERY_S = 15
FRESH_S = 1.0
RESTORING = "(restore)"


class LeaseLost(Exception):
    """Another holder has the lease; nothing more may be stored under it."""


class Renewals:
    """When a process last renewed its lease. Before money is spent, it is checked that the lease is still the process's own."""

    def __init__(self) -> None:
        self._last = (time.monotonic(), time.time())

    def renew(self, write: Callable[[], T]) -> T:
        """Call `write`, which renews the lease, and record when it began."""
        began = (time.monotonic(), time.time())
        result = write()
        self._last = began
        return result

    def ensure_fresh(self, write: Callable[[], object]) -> None:
        """Renew the lease unless that was just done by both of this machine's clocks; one of them stops while it sleeps."""
        limit = FRESH_S
        while self._age() > limit:
            self.renew(write)
            limit = LASTS_S / 2  # the database may be slow

    def _age(self) -> float:
        monotonic, wall = self._last
        return max(time.monotonic() - monotonic, time.time() - wall)


def take(session: Session, holder: str, *, name: str = COLLECTOR) -> int | None:
    """Take the free lease and return its token, or None while another holds it. A new lease has the token 1."""
    now = now_ms()
    times = {"now": now, "until": now + LASTS_S * 1000, "farthest": now + FARTHEST_S * 1000}
    token: int | None = session.scalar(_TAKE, {"name": name, "holder": holder, **times})
    return token


def renew(session: Session, token: int, *, name: str = COLLECTOR) -> None:
    """Hold the lease for another LASTS_S seconds; raises LeaseLost."""
    if session.scalar(_RENEW, {"lease": name, "mine": token, "until": now_ms() + LASTS_S * 1000}) is None:
        raise LeaseLost("another holder has taken over")


def give_back(session: Session, token: int, *, name: str = COLLECTOR) -> bool:
    """Free the lease if it is still the holder's own, and tell whether it was."""
    own = update(Lease).where(Lease.name == name, Lease.token == token, Lease.holder.is_not(None))
    return session.scalar(own.values(holder=None, expires=0).returning(Lease.token)) is not None


def refuse_while_restoring(session: Session) -> None:
    """Raise DatabaseUnavailable while a backup is restored: what is written now would be lost with the data it replaces."""
    held = (Lease.name == COLLECTOR, Lease.holder.startswith(RESTORING), Lease.expires > now_ms())
    if session.scalar(select(Lease.token).where(*held)) is not None:
        raise DatabaseUnavailable("a copy is being put back: try again in a minute")


@contextmanager
def renewing(database: Database, token: int, lost: Callable[[], None], *, name: str = COLLECTOR) -> Iterator[None]:
    """Renew the lease in a thread until the block ends; calls `lost` once if another holder has it."""
    ended = threading.Event()

    def keep_renewing() -> None:
        while not ended.wait(RENEWED_EVERY_S):
            try:
                database.write(lambda session: renew(session, token, name=name))
            except LeaseLost:
                lost()
                return
            except DatabaseUnavailable as error:
                log.warning("lease not renewed", extra={"reason": str(error)})

    thread = threading.Thread(target=keep_renewing, name="collector-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


_TAKE = text(
    "INSERT INTO leases (name, holder, token, expires) VALUES (:name, :holder, 1, :until) ON CONFLICT (name) DO UPDATE "
    "SET holder = excluded.holder, token = leases.token + 1, expires = excluded.expires "
    "WHERE leases.expires <= :now OR leases.expires > :farthest RETURNING token"
)
_leases: Any = Lease.__table__
_mine = (_leases.c.name == bindparam("lease"), _leases.c.token == bindparam("mine"), _leases.c.holder.is_not(None))
_RENEW = update(_leases).where(*_mine).values(expires=bindparam("until")).returning(_leases.c.token)
