"""Marks: single facts about the whole database."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import DatabaseMark

CURSOR_KEY = "cursor_key"


def cursor_key(session: Session) -> bytes:
    """Return the key by which the cursors of this database's lists are signed."""
    return session.scalars(select(DatabaseMark.value).where(DatabaseMark.name == CURSOR_KEY)).one().encode()
