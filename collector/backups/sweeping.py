"""Sweeping: what deletions left undone is done, whatever the size of the database."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector.backups import rotation
from collector.backups.backups import beside
from collector.runs import lease
from collector.tweets import deletions, erasure
from database.sqlite_files import with_side_files
from models import TWEET_WORDS

log = logging.getLogger(__name__)

UNFINISHED = ("ready", "ready-draft", "anew")  # what restores and sweeps leave that are killed


def due(database: Database, session: Session) -> bool:
    """Tell whether there is anything to sweep."""
    left = any(beside(database, name).exists() for name in UNFINISHED)
    return (
        left
        or bool(rotation.unfinished_files(database))
        or bool(erasure.pending_deletions(session))
        or bool(deletions.to_bury(session))
    )


def sweep(database: Database) -> bool:
    """Finish what was begun to be deleted, and clear the file and the log of it; return whether nothing is left to do.

    Raises DatabaseUnavailable where nothing can be written. Not while a collection runs, which would have to wait.
    """
    deletions.bury_rest(database)
    if any(beside(database, name).exists() for name in UNFINISHED):
        with suppress(DatabaseUnavailable), _refuse_writers(database):
            _remove_unfinished(database)
    with suppress(OSError):
        rotation.remove_unfinished(database)
    return erasure.settle(database, rewrite=rewrite_file)


def rewrite_file(database: Database) -> None:
    """Rewrite the database without what was deleted; raises DatabaseUnavailable where others hold that up."""
    database.rewrite(beside(database, "anew"), exclusively=_ready_to_rewrite(database))


@contextmanager
def _ready_to_rewrite(database: Database) -> Iterator[None]:
    with _refuse_writers(database):
        with database.writing() as session:
            TWEET_WORDS.rebuild(session)
        yield


@contextmanager
def _refuse_writers(database: Database) -> Iterator[None]:
    """Let writers be refused as while a copy is put back; raises DatabaseUnavailable while a collection runs."""
    with database.writing() as session:
        token = lease.take(session, f"{lease.RESTORING}:{os.getpid()}")
    if token is None:
        raise DatabaseUnavailable("a collection runs")
    try:
        yield
    finally:
        with suppress(DatabaseUnavailable), database.writing() as session:
            lease.give_back(session, token)


def _remove_unfinished(database: Database) -> None:
    for name in UNFINISHED:
        for file in with_side_files(beside(database, name)):
            file.unlink(missing_ok=True)
