"""X's own count of the posts that it sold, beside what the ledger knows: whether reading posts again cost anything."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from alchemy import Database
from collector.x.app_only import AppOnly
from collector.x.failures import Stopped, Tries
from models import Payload, Reservation, Spend
from queries.counters import COLLECTOR, is_live

LAG = timedelta(minutes=5)
QUIET_CHECKS, QUIET_CHECKED_EVERY_S = 12, 5.0


class NotQuiet(Exception):
    """Posts are being bought all the time, so that X's count and the ledger's don't describe the same moment."""

    kind = "waiting"


class LedgerPosts(NamedTuple):
    """How many posts the ledger has booked in all, how many more lost answers may have had, and whether any is in flight."""

    booked: int
    lost: int
    in_flight: bool


class CountedSales(NamedTuple):
    """X's count of posts in its billing month, the ledger's of all time at that moment, and the Date (UTC) of X's answer."""

    x_posts: int
    our_posts: int
    observed: datetime


def counted_sales(database: Database, x: AppOnly, tries: Tries, stop: threading.Event) -> CountedSales:
    """Ask X for its count while nothing is being bought, a free request; raises XFailure, NotQuiet, Stopped."""
    for _ in range(QUIET_CHECKS):
        before = _ledger_posts(database)
        if not before.in_flight:
            usage = tries.ask(x.usage)
            if _ledger_posts(database) == before:
                return CountedSales(usage.posts, before.booked + before.lost, usage.observed)
        if stop.wait(QUIET_CHECKED_EVERY_S):
            raise Stopped
    raise NotQuiet("posts are being bought all the time: X's count is asked for again in ten minutes")


def uncounted_posts(session: Session, *, now: datetime) -> int:
    """Return how many posts came so lately that X's count may lack them."""
    return session.scalar(select(func.count()).where(Payload.retrieved >= now - LAG)) or 0


def _ledger_posts(database: Database) -> LedgerPosts:
    """Return what the ledger knows. What a collector that died has left in flight is lost."""
    reserved = select(Reservation.in_flight, func.sum(Reservation.posts)).where(Reservation.posts > 0)
    with database.reading() as session:
        booked = session.scalar(select(func.sum(Spend.posts))) or 0
        posts = {row[0]: int(row[1]) for row in session.execute(reserved.group_by(Reservation.in_flight))}
        is_alive = bool(session.scalar(select(exists().where(is_live(COLLECTOR)))))
    return LedgerPosts(int(booked), sum(posts.values()), is_alive and True in posts)
