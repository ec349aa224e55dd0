"""Gaps: stretches of a tag's posts that were not collected."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from models import Listing, Tag
from queries.leases import live_token
from queries.snowflakes import snowflake_time


class Gap(NamedTuple):
    """The ids between `since_id` and `until_id`, both exclusive. An expired one is out of reach of X's recent search."""

    tag: str
    since_id: int
    until_id: int
    expired: bool
    run_id: int


def gaps(session: Session, *, run_ids: Sequence[int] | None = None) -> list[Gap]:
    """Return the gaps by tag, newest first; with `run_ids`, those that these collections left or read last.

    While nothing is collected, a poll that was not read to its end leaves one as well.
    """
    columns = (Tag.tag, Listing.since_id, Listing.before, Listing.expired, Listing.run_id)
    rows = select(*columns).join(Tag, Tag.id == Listing.tag_id)
    rows = rows.where(unread(session)).order_by(Tag.key, Listing.before.desc())
    if run_ids is not None:
        rows = rows.where(Listing.run_id.in_(run_ids))
    return [Gap._make(row) for row in session.execute(rows)]


def any_within(session: Session, *, keys: Collection[str], first: int, end: int) -> bool:
    """Tell whether a gap reaches into a stretch of time (epoch seconds, half-open); with `keys`, one of these tags."""
    columns = select(Listing.since_id, Listing.before).join(Tag, Tag.id == Listing.tag_id).where(unread(session))
    rows = session.execute(columns.where(Tag.key.in_(keys)) if keys else columns)
    return any(_reaches(since_id or 0, until_id, first, end) for since_id, until_id in rows)


def _reaches(since_id: int, until_id: int, first: int, end: int) -> bool:
    oldest, newest = (snowflake_time(one).timestamp() for one in (since_id + 1, until_id - 1))
    return oldest <= newest and oldest < end and newest >= first


def unread(session: Session) -> ColumnElement[bool]:
    """Return the condition under which a listing is a gap."""
    idle = live_token(session) is None
    return or_(Listing.gap, Listing.since_id.is_not(None)) if idle else Listing.gap.is_(True)
