"""Erasure: removes deleted text from the database's file and its write-ahead log too.

On PostgreSQL a VACUUM frees the space for reuse; the server's own log is outside of this program's control.

SQLite overwrites deleted rows (`secure_delete`), but not the copies that it leaves in a page's unused part when it moves rows
to another page, nor those in the write-ahead log; FTS5 keeps some words between the pages of its index. So the log is
truncated, and the index and the file are rewritten: at once while the database is small, else by the next sweep. Deletions are
counted in the transaction that deletes, and erased ones in a second counter. Neither is ever decreased, so two processes that
erase at the same time count nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from database.statements import increment, upsert
from models import TWEET_WORDS, StoredCounter
from queries.counters import ERASURES_OWED

log = logging.getLogger(__name__)

SMALL = 16 * 1024 * 1024
DELETED, ERASED = "", "settled"


def record_deletion(session: Session) -> None:
    """Count that this transaction deletes something that has to be erased from the file."""
    increment(session, StoredCounter, [{"name": ERASURES_OWED, "label": DELETED, "value": 1}], ("value",))


def pending_deletions(session: Session) -> int:
    """How many deletions may have left traces in the file."""
    deleted, erased = _counts(session)
    return deleted - erased


def clear_pending(session: Session, *, until: int | None = None) -> None:
    """Record all deletions as erased, or those up to this count, if the database has as many: it may have been replaced."""
    deleted, erased = _counts(session)
    reached = max(erased, deleted if until is None else min(until, deleted))
    upsert(session, StoredCounter, [{"name": ERASURES_OWED, "label": ERASED, "value": reached}], update=("value",))


def erase(database: Database, *, rewrite: Callable[[Database], None] | None = None) -> bool:
    """Erase what was deleted from the file and the log, and return whether that is done; never raises DatabaseUnavailable.

    A large database is rewritten by `rewrite` only. Where readers prevent a checkpoint, a later call has to do it.
    """
    try:
        with database.reading() as session:
            deleted, erased = _counts(session)
        if deleted == erased or not database.checkpoint():
            return deleted == erased
        rewrite = rewrite if database.size > SMALL else _vacuum
        if rewrite is None:
            return False
        rewrite(database)
        if not database.checkpoint():
            return False
        with database.writing() as session:
            clear_pending(session, until=deleted)
    except DatabaseUnavailable as error:
        log.warning("deletions are still in the file", extra={"reason": str(error)})
        return False
    return True


def _vacuum(database: Database) -> None:
    with database.writing() as session:
        TWEET_WORDS.rebuild(session)
    database.vacuum()


def truncate_log(database: Database) -> None:
    """Truncate the log after the file was rewritten, or leave that to the next sweep."""
    try:
        if not database.checkpoint():
            with database.writing() as session:
                record_deletion(session)
    except DatabaseUnavailable as error:
        log.warning("deletions are still in the file", extra={"reason": str(error)})


def _counts(session: Session) -> tuple[int, int]:
    """How many deletions were ever counted, and how many of them are erased."""
    rows = session.execute(select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == ERASURES_OWED))
    counts = {row.label: row.value for row in rows}
    return counts.get(DELETED, 0), counts.get(ERASED, 0)
