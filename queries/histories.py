"""Histories: from when and up to when a tag's posts were collected. Nothing outside of it is a gap, or can be compared with."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Tag
from queries.snowflakes import snowflake_time


class History(NamedTuple):
    """A tag, between which instants (UTC) it was collected, but for its gaps, and whether it is tracked now."""

    tag: str
    begin: datetime
    end: datetime
    tracked: bool


def histories(session: Session, *, keys: Collection[str] = ()) -> list[History]:
    """Return the histories of the tags with these keys, or of all, by name; untracked ones too.

    A tag that was never collected has none: what an import brought of it is all there is.
    """
    columns = select(Tag.tag, Tag.from_id, Tag.since_id, Tag.tracked).order_by(Tag.key)
    rows = columns.where(Tag.from_id.is_not(None), Tag.since_id.is_not(None))
    found = session.execute(rows.where(Tag.key.in_(keys)) if keys else rows)
    return [History(tag, snowflake_time(first or 0), snowflake_time(last or 0), tracked) for tag, first, last, tracked in found]
