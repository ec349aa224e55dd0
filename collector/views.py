"""Saves and deletes names for pages; their paths were checked before (schemas/views.py)."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.orm import Session

from alchemy import Database
from collector import counters
from collector.runs.lease import refuse_while_restoring
from database.statements import upsert
from models import DatabaseMark
from queries.views import PREFIX, SavedView, saved_views

MOST_VIEWS = 50


class TooManyViews(Exception):
    """There are as many saved views as there may be."""


class ViewExists(Exception):
    """Another page is saved under this name: `path`."""

    def __init__(self, path: str) -> None:
        super().__init__("this name is taken")
        self.path = path


def save_view(database: Database, view: SavedView, *, replaces: bool = True) -> bool:
    """Save a view, in place of one with its name if it `replaces` that, and return whether it is new.

    Raises ViewExists, TooManyViews, DatabaseUnavailable.
    """

    def save(session: Session) -> bool:
        refuse_while_restoring(session)
        known = {one.name: one.path for one in saved_views(session)}
        if not replaces and known.get(view.name, view.path) != view.path:
            raise ViewExists(known[view.name])
        if view.name not in known and len(known) >= MOST_VIEWS:
            raise TooManyViews(f"there are {MOST_VIEWS} saved views, which is the most: delete one first")
        upsert(session, DatabaseMark, [{"name": PREFIX + view.name, "value": view.path}], update=("value",))
        counters.bump_sequence(session)
        return view.name not in known

    return database.write(save)


def delete_view(database: Database, name: str) -> bool:
    """Delete a view, and return whether there was one; raises DatabaseUnavailable."""

    def remove(session: Session) -> bool:
        refuse_while_restoring(session)
        found = delete(DatabaseMark).where(DatabaseMark.name == PREFIX + name).returning(DatabaseMark.name)
        counters.bump_sequence(session)
        return session.scalar(found) is not None

    return database.write(remove)
