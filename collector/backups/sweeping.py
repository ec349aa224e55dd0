"""Sweeping: finishes interrupted deletions and erases what they left, whatever the size of the database."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector.backups import backups
from collector.runs import lease
from collector.tweets import deletions, erasure
from database.sqlite_files import remove_with_side_files
from models import TWEET_WORDS

log = logging.getLogger(__name__)

UNFINISHED = ("ready", "ready-draft", "anew")  # files beside the database that interrupted restores and sweeps leave


def beside(database: Database, name: str) -> Path:
    """A hidden file beside the database, for what is to replace it."""
    return database.folder / f".{database.label}.{name}"


def has_work(database: Database, session: Session) -> bool:
    """Whether there is anything to sweep."""
    left = any(beside(database, name).exists() for name in UNFINISHED)
    return (
        left
        or bool(backups.unfinished_files(database))
        or bool(erasure.pending_deletions(session))
        or bool(deletions.unfinished_authors(session))
    )


def sweep(database: Database) -> bool:
    """Finish interrupted deletions and erase what was deleted from the file and the log; return whether all is done.

    Raises DatabaseUnavailable where nothing can be written. Rewrites nothing while a collection runs, which would have to wait.
    """
    deletions.finish_deletions(database)
    if any(beside(database, name).exists() for name in UNFINISHED):
        with suppress(DatabaseUnavailable), _refuse_writers(database):
            for name in UNFINISHED:
                remove_with_side_files(beside(database, name))
    with suppress(OSError):
        backups.remove_unfinished(database)
    return erasure.erase(database, rewrite=rewrite_file)


def rewrite_file(database: Database) -> None:
    """Rewrite the database without deleted rows; raises DatabaseUnavailable where other processes prevent that."""
    database.rewrite(beside(database, "anew"), exclusively=_prepare_to_rewrite(database))


@contextmanager
def _prepare_to_rewrite(database: Database) -> Iterator[None]:
    """Refuse writers during the block, and begin it with an index of words that has nothing of what was deleted."""
    with _refuse_writers(database):
        with database.writing() as session:
            TWEET_WORDS.rebuild(session)
        yield


@contextmanager
def _refuse_writers(database: Database) -> Iterator[None]:
    """Refuse writers during the block, as during a restore; raises DatabaseUnavailable while a collection runs."""
    with database.writing() as session:
        token = lease.take(session, f"{lease.RESTORING}:{os.getpid()}")
    if token is None:
        raise DatabaseUnavailable("a collection runs")
    try:
        yield
    finally:
        with suppress(DatabaseUnavailable), database.writing() as session:
            lease.give_back(session, token)
