"""SQLite: a file beside the service.

It runs through the pysqlite3 wheel, whose SQLite is free of the WAL-reset corruption (https://sqlite.org/wal.html,
"The WAL-reset bug", fixed in 3.51.3). Every transaction begins with a BEGIN of its own, reads included, so that two SELECTs
in one session see one state; a writing session begins with BEGIN IMMEDIATE, so that it never fails half-way for a lock.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from database.errors import DatabaseDamaged, DatabaseNotMigrated, DatabaseUnavailable, DiskFailed, QueryTooLong
from database.migrating import migrate
from database.turns import BUSY_TIMEOUT_S, FairLock
from settings import DATA

log = logging.getLogger(__name__)

WAL_SAFE_SQLITE = (3, 51, 3)
DAMAGED = "the database is damaged: restore a backup"
DEADLINE = "deadline"
STEPS = 50_000  # of SQLite's virtual machine, about a millisecond
CHECKPOINT_TRIES = 8
CHECKPOINT_TIMEOUT_MS = 50
CHECKPOINT_PAUSE_S = 0.05
VACUUM_TIMEOUT_MS = 1000
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
)


class SQLite:
    """A database in a file. Opening it connects to nothing."""

    def __init__(self, url: URL) -> None:
        self.engine: Engine = _engine(url)
        self.file = Path(url.database or "")
        self._writer = self.engine.execution_options(immediate=True)
        self._suspect = False
        self._kept_open: list[Callable[[], object]] = []
        self._turns = FairLock()

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.file.stem

    @property
    def folder(self) -> Path:
        """The file's folder."""
        return self.file.parent

    @property
    def size(self) -> int:
        """The bytes of the file and its write-ahead log."""
        files = (self.file, self.file.with_name(f"{self.file.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    @contextmanager
    def reading(self, *, within: timedelta | None = None, as_of: str | None = None) -> Iterator[Session]:
        """Give a session that sees one state, for so long; raises QueryTooLong, DatabaseUnavailable."""
        with self._translate_failures(), Session(self.engine) as session:
            if within is None:
                yield session
                return
            limits = session.connection().info
            limits[DEADLINE] = time.monotonic() + within.total_seconds()
            try:
                yield session
            finally:
                limits.pop(DEADLINE, None)

    def glance(self, question: str) -> list[Any]:
        """Return the rows of one question, without a transaction; raises DatabaseUnavailable."""
        with self._translate_failures():
            connection = self.engine.raw_connection()
            try:
                rows: list[Any] = connection.cursor().execute(question).fetchall()
                return rows
            finally:
                connection.close()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose changes are committed together at the end, or not at all; raises DatabaseUnavailable.

        Writers of this process take turns: SQLite's own waiting for the lock sleeps up to a tenth of a second at a time.
        """
        with self._turns.acquire():
            if self._suspect:
                self._verify()
            try:
                with self._translate_failures(), Session(self._writer) as session, session.begin():
                    yield session
            except DiskFailed:
                self._suspect = True
                raise

    def write(self, change: Callable[[Session], Any], *, patience_s: float) -> Any:
        """Do a change in a transaction, once: a file doesn't come back by trying again."""
        with self.writing() as session:
            return change(session)

    def upgrade(self) -> None:
        """Bring the schema to the newest revision in one transaction; safe to call from several processes at once."""
        with suppress(OSError):  # what is there stays as it is; where nothing can be made, SQLite can't open the file
            if self.folder == DATA:
                self.folder.mkdir(mode=0o700, exist_ok=True)
            self.file.touch(mode=0o600, exist_ok=False)  # SQLite's files beside it get its mode
        with self._turns.acquire(), self._translate_failures(), self._migrating() as connection:
            migrate(connection)
            if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise DatabaseDamaged(DAMAGED)

    @contextmanager
    def _translate_failures(self) -> Iterator[None]:
        """Say what is wrong outside our own code, and for the operator with which file."""
        try:
            yield
        except (DBAPIError, pysqlite3.dbapi2.Error) as error:
            failure = _failure(error)
            if failure is None:
                raise
            failure.why = "" if isinstance(failure, QueryTooLong) else str(self.file)
            raise failure from error
        except DatabaseDamaged as damaged:
            damaged.why = str(self.file)
            raise

    @contextmanager
    def _migrating(self) -> Iterator[Connection]:
        with self._writer.connect() as connection, _without_foreign_keys(connection), connection.begin():
            yield connection

    def checkpoint(self) -> bool:
        """Move the write-ahead log into the file and cut it to nothing; False where others hold that up.

        Others wait for it, so it waits for them only a moment at a time.
        """
        with self._bare(CHECKPOINT_TIMEOUT_MS) as connection:
            for attempt in range(CHECKPOINT_TRIES):
                time.sleep(CHECKPOINT_PAUSE_S if attempt else 0)
                ((busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                if not busy:
                    return True
        return False

    def vacuum(self) -> None:
        """Write the file anew, without the unused parts of its pages; raises DatabaseUnavailable.

        SQLite does it in memory, as large as the database, and writers wait.
        """
        with self._turns.acquire(), self._bare(VACUUM_TIMEOUT_MS) as connection:
            connection.execute("VACUUM").close()

    @contextmanager
    def _bare(self, patience_ms: int) -> Iterator[sqlite3.Connection]:
        """Give the driver's connection, outside a transaction, which waits so long for others."""
        try:
            with self._translate_failures(), self.engine.connect() as pooled:
                connection: Any = pooled.connection.driver_connection
                connection.execute(f"PRAGMA busy_timeout={patience_ms}").close()
                try:
                    yield connection
                finally:
                    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}").close()
        except DiskFailed:
            self._suspect = True
            raise

    def close(self) -> None:
        self.engine.dispose()
        while self._kept_open:
            self._kept_open.pop()()

    def keep_open(self, close: Callable[[], object]) -> None:
        """Let what must stay open as long as this is used be closed at the end, what was opened last first."""
        self._kept_open.append(close)

    def _verify(self) -> None:
        """Look at what is on the disk, through new connections; raises DatabaseDamaged, DatabaseUnavailable.

        After a failed sync the kernel may show data that it never wrote, so its cache is left out
        (https://lwn.net/Articles/752063/).
        """
        self.engine.dispose()
        for file in (self.file, self.file.with_name(f"{self.file.name}-wal")):
            for descriptor in _drop_from_cache(file):
                self.keep_open(partial(os.close, descriptor))
        with self.reading() as session:
            if list(session.scalars(text("PRAGMA integrity_check"))) != ["ok"]:
                raise DatabaseDamaged(DAMAGED)
        self._suspect = False
        log.warning("database verified after a failed write", extra={"status": "success"})


def _engine(url: URL) -> Engine:
    driver = pysqlite3.dbapi2
    if driver.sqlite_version_info < WAL_SAFE_SQLITE:
        raise DatabaseUnavailable(f"SQLite {driver.sqlite_version} can corrupt a WAL database: 3.51.3 or newer is needed")
    options = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}
    engine = create_engine(url, module=driver, connect_args=options, pool_size=8, max_overflow=64, hide_parameters=True)
    engine.dialect.statement_compiler = _Compiler
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


class _Compiler(SQLiteCompiler):
    """SQLite's, which also writes the hints of a query: which index it is read through."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        return text


def _prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    """Set a new connection up; SQLite asks it from time to time whether its question may go on."""
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()
    connection.set_progress_handler(lambda: time.monotonic() > record.info.get(DEADLINE, math.inf), STEPS)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("immediate") else "BEGIN")


@contextmanager
def _without_foreign_keys(connection: Connection) -> Iterator[None]:
    """Let tables be replaced that others refer to: references are looked at at once, and not at all within this block."""
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF").close()
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON").close()


def _drop_from_cache(file: Path) -> list[int]:
    """Drop a file from the kernel's cache, and return the descriptor, if there is one.

    It must stay open while SQLite has the file: closing any of a process's descriptors gives up all its locks on the file
    (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    if not (file.exists() and hasattr(os, "posix_fadvise")):
        return []
    descriptor = os.open(file, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return [descriptor]


def _failure(error: Exception) -> DatabaseUnavailable | None:
    """Return what is wrong outside our own code, or None for a programming error."""
    words_of = str(error.orig if isinstance(error, DBAPIError) else error).lower()
    known = {
        "interrupted": QueryTooLong("the question took too long: ask for less, by filters, a shorter time or a limit"),
        "locked": DatabaseUnavailable("the database is busy"),
        "full": DatabaseUnavailable("the disk of the database is full"),
        "unable to open": DatabaseUnavailable("the database can't be opened"),
        "readonly": DatabaseUnavailable("the database is read-only"),
        "disk i/o": DiskFailed("the disk of the database fails"),
        "malformed": DatabaseDamaged("the database is damaged"),
        "could not decode": DatabaseDamaged("the database is damaged"),
        "not a database": DatabaseDamaged("the database's file is no database"),
        "no such table": DatabaseNotMigrated("the database is not migrated"),
    }
    return next((failure for words, failure in known.items() if words in words_of), None)
