"""The database: engine, sessions, the base of all tables, and where the dialects differ.

SQLite runs through the pysqlite3 wheel, whose SQLite is free of the WAL-reset corruption (https://sqlite.org/wal.html,
"The WAL-reset bug", fixed in 3.51.3). Every transaction begins with a BEGIN of its own, reads included, so that two SELECTs
in one session see one state; a writing session begins with BEGIN IMMEDIATE, so that it never fails half-way for a lock.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2
from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    String,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import BigInteger, Integer, TypeDecorator

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
WAL_SAFE_SQLITE = (3, 51, 3)
BUSY_TIMEOUT_S = 5
DEADLINE = "deadline"
STEPS = 50_000  # of SQLite's virtual machine, about a millisecond
EMPTYING_TRIES = 8
EMPTYING_PATIENCE_MS = 50
EMPTYING_PAUSE_S = 0.05
REWRITING_PATIENCE_MS = 1000
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
)


class Base(DeclarativeBase):
    """The base of all tables; constraint names are fixed so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class DatabaseUnavailable(Exception):
    """The database is busy, full, away or damaged; its text says which, without SQL and paths."""


class QueryTooLong(DatabaseUnavailable):
    """A question took longer than it may."""


class DatabaseNotMigrated(DatabaseUnavailable):
    """The database has no tables yet."""


class DatabaseDamaged(DatabaseUnavailable):
    """What stands where the database should is none, or is broken."""


class DiskFailed(DatabaseUnavailable):
    """A write or a sync failed. Nothing more is written through this Database until what is on the disk was verified."""


class DatabaseRevision(Exception):
    """The database was written by a newer version of this program."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, to the second. SQLite keeps it as text that sorts as time does: 2026-11-17T12:34:56Z."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(String(20) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without time zone")
        if dialect.name == "sqlite":
            return f"{(value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat()[:19]}Z"
        return value.astimezone(UTC).replace(microsecond=0)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return datetime.fromisoformat(value) if isinstance(value, str) else value


Id = BigInteger().with_variant(Integer(), "sqlite")
"""An id of 64 bits. Only as INTEGER is a primary key SQLite's own row number, which every index then ends with."""


class Turns:
    """A lock that is had in the order of asking."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for one's turn, and have it until the block ends; raises DatabaseUnavailable after BUSY_TIMEOUT_S."""
        mine = object()
        try:
            with self._change:
                self._queue.append(mine)
                if not self._change.wait_for(lambda: self._queue[0] is mine, BUSY_TIMEOUT_S):
                    raise DatabaseUnavailable("the database is busy")
            yield
        finally:
            with self._change:
                self._queue.remove(mine)
                self._change.notify_all()


class Database:
    """One database: sessions to read and to write with. Opening it connects to nothing."""

    def __init__(self, url: str) -> None:
        self.url: URL = make_url(url)
        self.engine: Engine = _engine(self.url)
        self._writer = self.engine.execution_options(immediate=True)
        self._suspect = False
        self._kept_open: list[Callable[[], object]] = []
        self._turns = Turns()

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "")

    @property
    def size(self) -> int:
        """The bytes of the file and its write-ahead log."""
        files = (self.file, self.file.with_name(f"{self.file.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    @contextmanager
    def reading(self, *, within: timedelta | None = None) -> Iterator[Session]:
        """Give a session that sees one state of the database, for so long; raises QueryTooLong, DatabaseUnavailable."""
        with _failures_named(), Session(self.engine) as session:
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
        """Return the rows of one question that is answered at once, without a transaction; raises DatabaseUnavailable."""
        with _failures_named():
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
        with self._turns.one():
            if self._suspect:
                self._verify()
            try:
                with _failures_named(), Session(self._writer) as session, session.begin():
                    yield session
            except DiskFailed:
                self._suspect = True
                raise

    def upgrade(self) -> None:
        """Bring the schema to the newest revision in one transaction; safe to call from several processes at once."""
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnavailable(f"the folder of the database can't be made: {error.strerror}") from error
        with suppress(OSError):  # one that is there stays as it is; where none can be made, SQLite says why
            self.file.touch(mode=0o600, exist_ok=False)  # SQLite's files beside it get its mode
        with self._turns.one(), _failures_named(), self._migrating() as connection:
            if _revision(connection) != newest_revision():
                _migrate(connection)
            _check_references(connection)

    @contextmanager
    def _migrating(self) -> Iterator[Connection]:
        with self._writer.connect() as connection, _unreferenced(connection), connection.begin():
            yield connection

    def empty_log(self) -> bool:
        """Move the write-ahead log into the file and cut it to nothing; False where others hold that up. SQLite only.

        Others wait for it, so it waits for them only a moment at a time.
        """
        if self.engine.dialect.name != "sqlite":
            return True
        with self._bare(EMPTYING_PATIENCE_MS) as connection:
            for attempt in range(EMPTYING_TRIES):
                time.sleep(EMPTYING_PAUSE_S if attempt else 0)
                ((busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                if not busy:
                    return True
        return False

    def write_anew(self) -> None:
        """Write the file anew, without the unused parts of its pages; raises DatabaseUnavailable. SQLite only.

        SQLite does it in memory, as large as the database, and writers wait.
        """
        if self.engine.dialect.name == "sqlite":
            with self._turns.one(), self._bare(REWRITING_PATIENCE_MS) as connection:
                connection.execute("VACUUM").close()

    @contextmanager
    def _bare(self, patience_ms: int) -> Iterator[sqlite3.Connection]:
        """Give the driver's connection, outside a transaction, which waits so long for others."""
        try:
            with _failures_named(), self.engine.connect() as pooled:
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
            for descriptor in _uncached(file):
                self.keep_open(partial(os.close, descriptor))
        with self.reading() as session:
            findings = [finding for (finding,) in session.execute(text("PRAGMA integrity_check"))]
        if findings != ["ok"]:
            raise DatabaseDamaged("the database is damaged: restore a backup")
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


def known_revisions() -> set[str]:
    """Return the revisions of the schema that this program can read or upgrade."""
    return {file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py")}


def newest_revision() -> str:
    """Return the revision of the schema that this program needs."""
    return max(known_revisions())


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _migrate(connection: Connection) -> None:
    """Migrate to the newest revision. Alembic takes long to import, and most starts find nothing to migrate."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseRevision("the database was written by a newer version of this program: upgrade the program") from error


@contextmanager
def _unreferenced(connection: Connection) -> Iterator[None]:
    """Let tables be replaced that others refer to: SQLite looks at references at once, and not at all within this block."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF").close()
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON").close()


def _check_references(connection: Connection) -> None:
    """Raise DatabaseDamaged where a row refers to one that is not there. SQLite only."""
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise DatabaseDamaged("the database is damaged: restore a backup")


def _uncached(file: Path) -> list[int]:
    """Drop a file from the kernel's cache, and return the descriptor, if there is one.

    It must stay open while SQLite has the file: closing any of a process's descriptors gives up all its locks on the file
    (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    if not (file.exists() and hasattr(os, "posix_fadvise")):
        return []
    descriptor = os.open(file, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return [descriptor]


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, pysqlite3.dbapi2.Error) as error:
        failure = _failure(error)
        if failure is None:
            raise
        raise failure from error


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
        "not a database": DatabaseDamaged("the database's file is no database"),
        "no such table": DatabaseNotMigrated("the database is not migrated"),
    }
    return next((failure for words, failure in known.items() if words in words_of), None)
