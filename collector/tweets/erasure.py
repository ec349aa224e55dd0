"""Erasure: what was deleted is gone from the database's file and its log as well, not from the answers only.

SQLite overwrites what is deleted (`secure_delete`), but not the copies that it leaves in a page's unused part when it moves
rows to another page, nor those in the write-ahead log. So the log is emptied and the file written anew, without unused parts:
at once while the database is small, else by the next sweep. What is owed is counted in the transaction that deletes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable, add_up
from models import Figure
from queries.figures import ERASURES_OWED

log = logging.getLogger(__name__)

SMALL = 16 * 1024 * 1024


def owe(session: Session) -> None:
    """Note that this transaction deletes something that must be gone from the file."""
    _add(session, 1)


def owed(session: Session) -> int:
    """Return how many deletions may still be found in the file."""
    return session.scalar(select(Figure.value).where(Figure.name == ERASURES_OWED)) or 0


def settled(session: Session) -> None:
    """Note that nothing is owed."""
    session.execute(delete(Figure).where(Figure.name == ERASURES_OWED))


def settle(database: Database, *, rewrite: Callable[[Database], None] | None = None) -> bool:
    """Clear the file and the log of what was deleted, and return whether that is done; never raises DatabaseUnavailable.

    A large database is written anew by `rewrite` only, and where readers hold the log up, it waits for a later try.
    """
    try:
        with database.reading() as session:
            known = owed(session)
        if not known or not database.empty_log():
            return not known
        way = rewrite if database.size > SMALL else Database.write_anew
        if way is None:
            return False
        way(database)
        if not database.empty_log():
            return False
        with database.writing() as session:
            _add(session, -known)
    except DatabaseUnavailable as error:
        log.warning("deletions are still in the file", extra={"reason": str(error)})
        return False
    return True


def empty_log(database: Database) -> None:
    """Empty the log after the file was written anew, or owe it."""
    try:
        if not database.empty_log():
            with database.writing() as session:
                owe(session)
    except DatabaseUnavailable as error:
        log.warning("deletions are still in the file", extra={"reason": str(error)})


def _add(session: Session, by: int) -> None:
    add_up(session, Figure, [{"name": ERASURES_OWED, "label": "", "value": by}], ("value",))
