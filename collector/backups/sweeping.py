"""Sweeping: what deletions left undone is done, whatever the size of the database.

SQLite's VACUUM works in memory, so a large database is written anew through a file beside it, which then replaces it in one
transaction. Writers are held off meanwhile, and should one slip in all the same, nothing is replaced.
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
from collector.backups.backups import beside
from collector.runs import lease
from collector.tweets import deletions, erasure
from database.turns import BUSY_TIMEOUT_S
from models import TWEET_WORDS

log = logging.getLogger(__name__)

STEP = 1  # page: the first one takes the lock, and what is not finished is taken back
DONE = 101  # SQLITE_DONE


class ChangedMeanwhile(Exception):
    """Somebody has written what the file beside lacks."""


UNFINISHED = ("ready", "ready-draft", "anew")  # what restores and sweeps leave that are killed


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
    """Finish what was begun to be deleted, and clear the file and the log of it; return whether nothing is left to do.

    Raises DatabaseUnavailable where nothing can be written. Not while a collection runs, which would have to wait.
    """
    deletions.bury_rest(database)
    if any(beside(database, name).exists() for name in UNFINISHED):
        with suppress(DatabaseUnavailable), _refuse_writers(database):
            _remove_unfinished(database)
    with suppress(OSError):
        rotation.remove_unfinished(database)
    return erasure.erase(database, rewrite=rewrite_file)


def rewrite_file(database: Database) -> None:
    """Write the database anew through a file beside it; raises DatabaseUnavailable where others hold that up."""
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
            raise DatabaseUnavailable("the database was written while it was written anew") from error
        except (OSError, sqlite.Error) as error:
            raise DatabaseUnavailable(f"the database can't be written anew: {error}") from error
        finally:
            _remove(anew)


def _rewrite_exclusively(database: Database, reader: sqlite.Connection, anew: Path) -> int:
    """Write the file beside while nobody else can write, and return the version of the data that it has."""
    _remove(anew)
    os.close(os.open(anew, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(_open(database.file)) as holder:
        holder.execute("BEGIN IMMEDIATE").close()
        reader.execute("VACUUM INTO ?", (str(anew),)).close()
        return _version(reader)


def _check(reader: sqlite.Connection, seen: int, status: int, *_pages: int) -> None:
    """Raise ChangedMeanwhile if somebody has written; nobody else can between the first step and the last."""
    if status != DONE and _version(reader) != seen:
        raise ChangedMeanwhile


def _version(reader: sqlite.Connection) -> int:
    ((version,),) = reader.execute("PRAGMA data_version").fetchall()
    return int(version)


def _open(file: Path) -> sqlite.Connection:
    return sqlite.connect(file, timeout=BUSY_TIMEOUT_S, isolation_level=None)


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
        _remove(beside(database, name))


def _remove(file: Path) -> None:
    for kind in ("", "-wal", "-shm", "-journal"):
        file.with_name(f"{file.name}{kind}").unlink(missing_ok=True)
