"""Histories: from when and up to when a tag's posts were collected. Nothing outside of it is a gap, or can be compared with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import BackfillSpan, Tag
from queries.snowflakes import snowflake_time


class History(NamedTuple):
    """A tag, between which instants (UTC) it was collected, but for its gaps, and whether it is tracked now."""

    tag: str
    begin: datetime
    end: datetime
    tracked: bool


def histories(session: Session, *, keys: Collection[str] = ()) -> list[History]:
    """Return the histories of the tags with these keys, or of all, by name; untracked ones too.

    What was bought from the archive belongs to one where it reaches up to it. A tag that was never collected has none: what
    an import brought of it is all there is.
    """
    columns = select(Tag.id, Tag.tag, Tag.from_id, Tag.since_id, Tag.tracked).order_by(Tag.key)
    rows = columns.where(Tag.from_id.is_not(None), Tag.since_id.is_not(None))
    found = session.execute(rows.where(Tag.key.in_(keys)) if keys else rows).all()
    bought = session.execute(
        select(BackfillSpan.tag_id, BackfillSpan.since_id, BackfillSpan.until_id).order_by(BackfillSpan.until_id.desc())
    ).all()
    return [
        History(tag, _begin(first or 0, [span for of, *span in bought if of == tag_id]), snowflake_time(last or 0), tracked)
        for tag_id, tag, first, last, tracked in found
    ]


def _begin(first: int, spans: Sequence[Sequence[int]]) -> datetime:
    """Return when a history begins that goes on after an id, with what reaches up to it, newest first."""
    for since_id, until_id in spans:
        if until_id > first:
            first = min(first, since_id)
    return snowflake_time(max(first, 0))
