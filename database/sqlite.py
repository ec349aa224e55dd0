"""SQLite, the database in a file.

The pysqlite3 wheel brings an SQLite without the WAL-reset corruption (https://sqlite.org/wal.html, "The WAL-reset bug", fixed
in 3.51.3). Every transaction starts with an explicit BEGIN, reads included, so that all SELECTs of a session see one state.
A writing session starts with BEGIN IMMEDIATE, so that it never fails to get the lock halfway.
"""

from __future__ import annotations

import logging
import math
import mmap
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pysqlite3.dbapi2
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from database import sqlite_files
from database.backend import CopyRows, Database, Scalar
from database.errors import DatabaseDamaged, DatabaseNotMigrated, DatabaseUnavailable, DiskFailed, QueryTooLong
from database.limits import BUSY_TIMEOUT_S, FairLock
from database.migrating import migrate
from settings import DATA

log = logging.getLogger(__name__)

T = TypeVar("T")

WAL_SAFE_SQLITE = (3, 51, 3)
DAMAGED = "the database is damaged: restore a backup"
DEADLINE = "deadline"
STEPS = 50_000  # instructions of SQLite's virtual machine between checks of the deadline, about a millisecond
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


class SQLite(Database):
    """A database in a file."""

    backend_name = "SQLite"
    has_commit_marks = True

    def __init__(self, url: URL) -> None:
        self.url, self.engine = url, _engine(url)
        file = Path(url.database or "")
        self.file, self.name, self.label, self.folder = file, file.stem, file.name, file.parent
        self._write_engine = self.engine.execution_options(immediate=True)
        self._suspect = False
        self._kept_open = ExitStack()  # until the database is closed
        self._wal_index: mmap.mmap | None = None
        self._opening_index = threading.Lock()
        self._write_lock = FairLock()

    @property
    def size(self) -> int:
        files = (self.file, self.file.with_name(f"{self.file.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    @contextmanager
    def reading(self, *, within: timedelta | None = None, as_of: str | None = None) -> Iterator[Session]:
        """See Database. `within` limits the whole session."""
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

    @contextmanager
    def reading_untouched(self) -> Iterator[Session]:
        connect = partial(sqlite_files.open_read_only, self.file)
        engine = create_engine("sqlite://", creator=connect, module=pysqlite3.dbapi2, poolclass=NullPool, hide_parameters=True)
        with Session(engine) as session:
            session.execute(text("BEGIN"))
            if session.scalars(text("PRAGMA integrity_check")).all() != ["ok"]:
                raise DatabaseDamaged(f"{self.label} is damaged")
            yield session

    def query(self, sql: str) -> list[Any]:
        with self._translate_failures(), closing(self.engine.raw_connection()) as connection:
            rows: list[Any] = connection.cursor().execute(sql).fetchall()
            return rows

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """See Database. Writers of this process queue here: SQLite's own wait for its lock sleeps up to 100 ms at a time."""
        with self._write_lock.acquire():
            if self._suspect:
                self._verify()
            try:
                with self._translate_failures(), Session(self._write_engine) as session, session.begin():
                    yield session
            except DiskFailed:
                self._suspect = True
                raise

    def write(self, change: Callable[[Session], T], *, timeout_s: float = BUSY_TIMEOUT_S) -> T:
        """See Database. It is never repeated: a second attempt on a file has the same result."""
        with self.writing() as session:
            return change(session)

    def upgrade(self) -> None:
        with suppress(OSError):  # it may exist already; if it can't be created, SQLite can't open it either
            if self.folder == DATA:
                self.folder.mkdir(mode=0o700, exist_ok=True)
            self.file.touch(mode=0o600, exist_ok=False)  # SQLite gives its other files the same mode
        with self._write_lock.acquire(), self._translate_failures(), self._write_engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys=OFF").close()  # migrations may replace tables that others refer to
            try:
                with connection.begin():
                    migrate(connection)
                    if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                        raise DatabaseDamaged(DAMAGED)
            finally:
                driver.execute("PRAGMA foreign_keys=ON").close()

    def check_folder(self) -> None:
        if self.folder != DATA and not os.path.isdir(self.folder):  # noqa: PTH112 (Path's raises)
            raise ValueError(f"{str(self.file)!r} can't be created, expected a file in an existing folder")

    @contextmanager
    def _translate_failures(self) -> Iterator[None]:
        """Raises DatabaseUnavailable for failures outside of our code, with the file's path for the operator."""
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

    def checkpoint(self) -> bool:
        """See Database. Others wait meanwhile, so it gives up soon and tries again a few times."""
        with self._outside_transaction(CHECKPOINT_TIMEOUT_MS) as connection:
            for attempt in range(CHECKPOINT_TRIES):
                time.sleep(CHECKPOINT_PAUSE_S if attempt else 0)
                ((busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                if not busy:
                    return True
        return False

    def vacuum(self) -> None:
        """See Database. It needs as much memory as the database is large, and writers wait."""
        with self._write_lock.acquire(), self._outside_transaction(VACUUM_TIMEOUT_MS) as connection:
            connection.execute("VACUUM").close()

    def rewrite(self, draft: Path, *, exclusively: AbstractContextManager[None]) -> None:
        with exclusively:
            sqlite_files.rewrite(self.file, draft)

    def copy_to_file(self, target: Path, copy_rows: CopyRows, count: Callable[[Scalar], T]) -> T:
        return sqlite_files.copy(self.engine, target, count)

    def replace_from_file(self, ready: Path, copy_rows: CopyRows) -> None:
        with closing(sqlite_files.open_read_only(ready)) as source, closing(self.engine.raw_connection()) as live:
            source.backup(live.driver_connection)

    @contextmanager
    def exclusive_file(self) -> Iterator[int]:
        self.close()
        with sqlite_files.lock_exclusively(self.file) as descriptor:
            yield descriptor

    def replace_damaged_file(self, ready: Path, kept: str) -> None:
        self.close()
        sqlite_files.replace_damaged(self.file, ready, kept)

    def integrity_faults(self, session: Session) -> list[str]:
        damaged = [
            f"the file is damaged: {found}" for found in session.scalars(text("PRAGMA integrity_check")) if found != "ok"
        ]
        dangling = session.execute(text("PRAGMA foreign_key_check"))
        return damaged + [f"a row of {row[0]} points to a row of {row[2]} that is not there" for row in dangling]

    @contextmanager
    def _outside_transaction(self, timeout_ms: int) -> Iterator[sqlite3.Connection]:
        """Gives the driver's connection without a transaction, with a time limit for waiting for locks."""
        try:
            with self._translate_failures(), self.engine.connect() as pooled:
                connection: Any = pooled.connection.driver_connection
                connection.execute(f"PRAGMA busy_timeout={timeout_ms}").close()
                try:
                    yield connection
                finally:
                    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}").close()
        except DiskFailed:
            self._suspect = True
            raise

    def commit_mark(self) -> bytes | None:
        """See Database. The index of the write-ahead log starts with a header, stored twice, that every commit changes.

        SQLite itself considers its snapshot the newest as long as that header is the same
        (https://sqlite.org/walformat.html#the_wal_index_header).
        """
        index = self._wal_index
        if index is None:
            with self._opening_index, suppress(OSError, pysqlite3.dbapi2.Error):
                index = self._wal_index = self._wal_index or sqlite_files.map_wal_index(self.file, self._kept_open)
        if index is None:
            return None
        first, second = index[: len(index) // 2], index[len(index) // 2 :]
        return first if first == second else None

    def close(self) -> None:
        self.engine.dispose()
        self._wal_index = None
        self._kept_open.close()

    def _verify(self) -> None:
        """Checks what is on the disk, through new connections. Raises DatabaseDamaged, DatabaseUnavailable.

        After a failed sync the kernel may show data that it never wrote, so its cache is dropped first
        (https://lwn.net/Articles/752063/).
        """
        self.engine.dispose()
        for file in (self.file, self.file.with_name(f"{self.file.name}-wal")):
            for descriptor in sqlite_files.drop_from_cache(file):
                self._kept_open.callback(os.close, descriptor)
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
    """SQLite's compiler, which also writes a query's hints (INDEXED BY)."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        return text


def _prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    """Sets up a new connection; its progress handler interrupts a query after the deadline."""
    try:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()
    except UnicodeDecodeError as error:  # SQLite's message quotes a damaged schema
        raise pysqlite3.dbapi2.DatabaseError("malformed schema") from error
    connection.set_progress_handler(lambda: time.monotonic() > record.info.get(DEADLINE, math.inf), STEPS)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("immediate") else "BEGIN")


def _failure(error: Exception) -> DatabaseUnavailable | None:
    """The failure outside of our code, or None for a programming error."""
    message = str(error.orig if isinstance(error, DBAPIError) else error).lower()
    known = {
        "interrupted": QueryTooLong("the query took too long: use filters, a shorter period or a limit"),
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
    return next((failure for part, failure in known.items() if part in message), None)
