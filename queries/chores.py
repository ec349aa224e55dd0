"""Chores: how each of them went last."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Chore


class ChoreView(NamedTuple):
    """A chore: when it began last and when it last succeeded (UTC), and why it did not the last time."""

    name: str
    began: datetime
    succeeded: datetime | None
    error: str | None


def chores(session: Session) -> list[ChoreView]:
    """Return what was done at least once, by name."""
    columns = select(Chore.name, Chore.began, Chore.succeeded, Chore.error).order_by(Chore.name)
    return [ChoreView._make(row) for row in session.execute(columns)]
