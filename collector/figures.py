"""Figures of the collector, kept in the database so that they are right whichever process collects."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from alchemy import upsert
from models import Figure
from queries.figures import GENERATION, RATE_LIMIT_REMAINING, SEQUENCE, X_REQUESTS


def changed(session: Session, *, by: int = 1) -> None:
    """Let the sequence grow: what the API shows has changed in this transaction."""
    _add(session, SEQUENCE, "", by)


def replaced(session: Session, *, by: int = 1) -> None:
    """Let the sequence grow, and the generation: a reader that began before sees another database now."""
    changed(session, by=by)
    _add(session, GENERATION, "", by)


def asked_x(session: Session, outcome: str, *, remaining: int | None = None) -> None:
    """Count a request to X by its outcome, and keep how many its rate limit still allows."""
    _add(session, X_REQUESTS, outcome, 1)
    if remaining is not None:
        upsert(session, Figure, [{"name": RATE_LIMIT_REMAINING, "label": "", "value": remaining}], update=("value",))


def _add(session: Session, name: str, label: str, by: int) -> None:
    upsert(session, Figure, [{"name": name, "label": label, "value": 0}])
    session.execute(update(Figure).where(Figure.name == name, Figure.label == label).values(value=Figure.value + by))
