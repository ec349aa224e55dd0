"""Sweeping: finishes interrupted deletions and erases what they left, whatever the size of the database.

SQLite's VACUUM works in memory, so a large database is rewritten through a file beside it, which then replaces its content in
one transaction. Writers are refused meanwhile; if one wrote all the same, nothing is replaced.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector.backups import rotation
from collector.backups.files import beside, make_private_file, remove_sqlite_files
from collector.runs import lease
from collector.tweets import deletions, erasure
from database.turns import BUSY_TIMEOUT_S
from models import TWEET_WORDS

log = logging.getLogger(__name__)

STEP = 1  # page: the first step takes the lock, and an unfinished copy is rolled back
DONE = 101  # SQLITE_DONE
UNFINISHED = ("ready", "ready-draft", "anew")  # files beside the database that interrupted restores and sweeps leave


class ChangedMeanwhile(Exception):
    """Another connection wrote what the file beside lacks."""


def has_work(database: Database, session: Session) -> bool:
    """Whether there is anything to sweep."""
    left = any(beside(database, name).exists() for name in UNFINISHED)
    return (
        left
        or bool(rotation.unfinished_files(database))
        or bool(erasure.pending_deletions(session))
        or bool(deletions.unfinished_authors(session))
    )


def sweep(database: Database) -> bool:
    """Finish interrupted deletions and erase what was deleted from the file and the log; return whether all is done.

    Raises DatabaseUnavailable where nothing can be written. Rewrites nothing while a collection runs, which would have to wait.
    """
    deletions.bury_rest(database)
    if any(beside(database, name).exists() for name in UNFINISHED):
        with suppress(DatabaseUnavailable), _refuse_writers(database):
            for name in UNFINISHED:
                remove_sqlite_files(beside(database, name))
    with suppress(OSError):
        rotation.remove_unfinished(database)
    return erasure.erase(database, rewrite=rewrite_file)


def rewrite_file(database: Database) -> None:
    """Rewrite the database through a file beside it; raises DatabaseUnavailable where other processes prevent that."""
    if not database.on_file:
        database.vacuum()
        return
    anew = beside(database, "anew")
    with _refuse_writers(database), closing(_open(database.file)) as reader:
        with database.writing() as session:
            TWEET_WORDS.rebuild(session)
        try:
            seen = _rewrite_exclusively(database, reader, anew)
            with closing(_open(anew)) as copy, closing(_open(database.file)) as live:
                copy.backup(live, pages=STEP, progress=partial(_check, reader, seen))
        except ChangedMeanwhile as error:
            raise DatabaseUnavailable("the database was written while it was rewritten") from error
        except (OSError, sqlite.Error) as error:
            raise DatabaseUnavailable(f"the database can't be rewritten: {error}") from error
        finally:
            remove_sqlite_files(anew)


def _rewrite_exclusively(database: Database, reader: sqlite.Connection, anew: Path) -> int:
    """Write the file beside while no other connection can write, and return the version of the data that it has."""
    remove_sqlite_files(anew)
    make_private_file(anew)
    with closing(_open(database.file)) as holder:
        holder.execute("BEGIN IMMEDIATE").close()
        reader.execute("VACUUM INTO ?", (str(anew),)).close()
        return _version(reader)


def _check(reader: sqlite.Connection, seen: int, status: int, *_pages: int) -> None:
    """Raise ChangedMeanwhile if another connection has written; none can between the first step and the last."""
    if status != DONE and _version(reader) != seen:
        raise ChangedMeanwhile


def _version(reader: sqlite.Connection) -> int:
    ((version,),) = reader.execute("PRAGMA data_version").fetchall()
    return int(version)


def _open(file: Path) -> sqlite.Connection:
    return sqlite.connect(file, timeout=BUSY_TIMEOUT_S, isolation_level=None)


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
