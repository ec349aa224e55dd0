"""Saved views: names for pages with their filters."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import DatabaseMark

PREFIX = "view "
"""What the marks of saved views begin with; the name follows."""


class SavedView(NamedTuple):
    """A name, and the path of a page with its query."""

    name: str
    path: str


def saved_views(session: Session) -> list[SavedView]:
    """Return all saved views by name."""
    rows = session.execute(select(DatabaseMark.name, DatabaseMark.value).where(DatabaseMark.name.startswith(PREFIX)))
    return sorted(
        (SavedView(name.removeprefix(PREFIX), path) for name, path in rows), key=lambda view: (view.name.casefold(), view)
    )
