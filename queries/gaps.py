"""Gaps: stretches of a tag's posts that were not collected."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Listing, Tag


class Gap(NamedTuple):
    """The ids between `since_id` and `until_id`, both exclusive. An expired one is out of reach of X's recent search."""

    tag: str
    since_id: int
    until_id: int
    expired: bool


def gaps(session: Session, *, run_id: int | None = None) -> list[Gap]:
    """Return the gaps by tag, newest first; with `run_id`, those that this collection left."""
    rows = select(Tag.tag, Listing.since_id, Listing.before, Listing.expired).join(Tag, Tag.id == Listing.tag_id)
    rows = rows.where(Listing.gap).order_by(Tag.key, Listing.before.desc())
    if run_id is not None:
        rows = rows.where(Listing.run_id == run_id)
    return [Gap._make(row) for row in session.execute(rows)]
