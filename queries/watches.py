"""Watches as they are stored."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Watch


class StoredWatch(NamedTuple):
    """A watch: its definition as JSON, and how far it was checked; the columns of models.watch.Watch say what they mean."""

    id: int
    name: str
    definition: str
    changed: datetime
    checked_to: int
    after_run: int
    told_to: int | None
    silent_since: int | None
    held_back: int
    after_tweet: int = 0


_WATCHES = select(*(getattr(Watch, name) for name in StoredWatch._fields))


def stored_watches(session: Session) -> list[StoredWatch]:
    """Return all watches by name."""
    return sorted(
        (StoredWatch._make(row) for row in session.execute(_WATCHES)), key=lambda one: (one.name.casefold(), one.name)
    )


def stored_watch(session: Session, name: str) -> StoredWatch | None:
    """Return the watch with this name, or None."""
    row = session.execute(_WATCHES.where(Watch.name == name)).first()
    return StoredWatch._make(row) if row else None
