"""Erasure: what was deleted is gone from the database's file and its log as well, not from the answers only.

On PostgreSQL that is a VACUUM, which frees what was deleted for others to overwrite; a server's own log is not ours to empty.

SQLite overwrites what is deleted (`secure_delete`), but not the copies that it leaves in a page's unused part when it moves
rows to another page, nor those in the write-ahead log; FTS5 keeps some words between the pages of its index. So the log is
emptied and the index and the file are written anew: at once while the database is small, else by the next sweep. What is owed
is counted in the transaction that deletes, and how far it is settled in a count of its own: neither ever falls, so that two who
settle at once settle nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from database.statements import increment, upsert
from models import TWEET_WORDS, StoredCounter
from queries.figures import ERASURES_OWED

log = logging.getLogger(__name__)

SMALL = 16 * 1024 * 1024
COUNTED, SETTLED = "", "settled"


def owe(session: Session) -> None:
    """Note that this transaction deletes something that must be gone from the file."""
    increment(session, StoredCounter, [{"name": ERASURES_OWED, "label": COUNTED, "value": 1}], ("value",))


def pending_deletions(session: Session) -> int:
    """Return how many deletions may still be found in the file."""
    counted, done = _counts(session)
    return counted - done


def clear_pending(session: Session, *, until: int | None = None) -> None:
    """Note that nothing is owed, or nothing up to this count; a count of a database that was replaced meanwhile is none."""
    counted, done = _counts(session)
    reached = max(done, counted if until is None else min(until, counted))
    upsert(session, StoredCounter, [{"name": ERASURES_OWED, "label": SETTLED, "value": reached}], update=("value",))


def settle(database: Database, *, rewrite: Callable[[Database], None] | None = None) -> bool:
    """Clear the file and the log of what was deleted, and return whether that is done; never raises DatabaseUnavailable.

    A large database is written anew by `rewrite` only, and where readers hold the log up, it waits for a later try.
    """
    try:
        with database.reading() as session:
            known, done = _counts(session)
        if known == done or not database.checkpoint():
            return known == done
        way = rewrite if database.size > SMALL else _vacuum
        if way is None:
            return False
        way(database)
        if not database.checkpoint():
            return False
        with database.writing() as session:
            clear_pending(session, until=known)
    except DatabaseUnavailable as error:
        log.warning("deletions are still in the file", extra={"reason": str(error)})
        return False
    return True


def _vacuum(database: Database) -> None:
    with database.writing() as session:
        TWEET_WORDS.rebuild(session)
    database.vacuum()


def truncate_log(database: Database) -> None:
    """Empty the log after the file was written anew, or owe it."""
    try:
        if not database.checkpoint():
            with database.writing() as session:
                owe(session)
    except DatabaseUnavailable as error:
        log.warning("deletions are still in the file", extra={"reason": str(error)})


def _counts(session: Session) -> tuple[int, int]:
    """Return how many deletions were ever counted, and how many of them are settled."""
    rows = session.execute(select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == ERASURES_OWED))
    counts = {row.label: row.value for row in rows}
    return counts.get(COUNTED, 0), counts.get(SETTLED, 0)
