"""Histories: from when on a tag's posts were collected. Nothing older is a gap, and nothing older can be compared with."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Tag
from queries.snowflakes import snowflake_time


class History(NamedTuple):
    """A tag and the instant (UTC) at which its history begins."""

    tag: str
    begin: datetime


def histories(session: Session, *, keys: Collection[str] = ()) -> list[History]:
    """Return the histories of the tags with these keys, or of all tracked ones, by name.

    A tag that was never collected has none: what an import brought of it is all there is.
    """
    rows = select(Tag.tag, Tag.from_id).where(Tag.key.in_(keys) if keys else Tag.tracked, Tag.from_id.is_not(None))
    return [History(tag, snowflake_time(from_id)) for tag, from_id in session.execute(rows.order_by(Tag.key)) if from_id]
