"""The database: engine, sessions, the base of all tables, and where the dialects differ.

SQLite runs through the pysqlite3 wheel, whose SQLite is free of the WAL-reset corruption (https://sqlite.org/wal.html,
"The WAL-reset bug", fixed in 3.51.3). Every transaction begins with a BEGIN of its own, reads included, so that two SELECTs
in one session see one state; a writing session begins with BEGIN IMMEDIATE, so that it never fails half-way for a lock.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pysqlite3.dbapi2
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    String,
    create_engine,
    event,
    make_url,
    or_,
    text,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.functions import FunctionElement, coalesce
from sqlalchemy.types import BigInteger, TypeDecorator

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
WAL_SAFE_SQLITE = (3, 51, 3)
BUSY_TIMEOUT_S = 5
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


Columns = Mapping[str, Iterable[Any]]


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


class quarter_hour(FunctionElement[int]):
    """The quarter of an hour that a UTCDateTime lies in, as the epoch second of its start."""

    type = BigInteger()
    inherit_cache = True
    seconds = 900


class whole_hour(quarter_hour):
    """The hour (UTC) that a UTCDateTime lies in, as the epoch second of its start."""

    inherit_cache = True
    seconds = 3600


@compiles(quarter_hour, "sqlite")
def _quarter_hour_sqlite(element: quarter_hour, compiler: Any, **kw: Any) -> str:
    return f"unixepoch({compiler.process(element.clauses, **kw)}) / {element.seconds} * {element.seconds}"


@compiles(quarter_hour, "postgresql")
def _quarter_hour_postgresql(element: quarter_hour, compiler: Any, **kw: Any) -> str:
    seconds = element.seconds
    return f"CAST(floor(extract(epoch FROM {compiler.process(element.clauses, **kw)}) / {seconds}) * {seconds} AS bigint)"


class _numbers(FunctionElement[int]):
    """The numbers of a JSON list, as rows."""

    type = BigInteger()
    inherit_cache = True


@compiles(_numbers, "sqlite")
def _numbers_sqlite(element: _numbers, compiler: Any, **kw: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **kw)}))"  # noqa: S608 (it is the place of a parameter)


@compiles(_numbers, "postgresql")
def _numbers_postgresql(element: _numbers, compiler: Any, **kw: Any) -> str:
    text = f"CAST({compiler.process(element.clauses, **kw)} AS json)"
    return f"(SELECT CAST(value AS bigint) FROM json_array_elements_text({text}))"  # noqa: S608 (as above)


def among(column: Any, numbers: Iterable[int]) -> ColumnElement[bool]:
    """Tell whether a column's value is one of these, however many: `in_` takes a parameter for each, and those are limited."""
    among: ColumnElement[bool] = column.bool_op("IN")(_numbers(orjson.dumps(list(numbers)).decode()))
    return among


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
        self._kept_open: list[int] = []
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
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one state of the database; raises DatabaseUnavailable."""
        with _failures_named(), Session(self.engine) as session:
            yield session

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
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnavailable(f"the folder of the database can't be made: {error.strerror}") from error
        with self._turns.one(), _failures_named(), self._writer.connect() as connection, connection.begin():
            _migrate(connection)

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
            os.close(self._kept_open.pop())

    def _verify(self) -> None:
        """Look at what is on the disk, through new connections; raises DatabaseDamaged, DatabaseUnavailable.

        After a failed sync the kernel may show data that it never wrote, so its cache is left out
        (https://lwn.net/Articles/752063/).
        """
        self.engine.dispose()
        for file in (self.file, self.file.with_name(f"{self.file.name}-wal")):
            self._kept_open += _uncached(file)
        with self.reading() as session:
            findings = [finding for (finding,) in session.execute(text("PRAGMA integrity_check"))]
        if findings != ["ok"]:
            raise DatabaseDamaged("the database is damaged: restore a backup")
        self._suspect = False
        log.warning("database verified after a failed write", extra={"status": "success"})


def upsert(
    session: Session, table: type[Base], rows: list[dict[str, Any]], *, update: Sequence[str] = (), newest: str | None = None
) -> int:
    """Insert rows; where the primary key exists, set the columns in `update`, or leave the row as it is.

    Return how many rows were inserted or changed. With `newest`, an existing row is updated only by one whose column of that
    name is not older, and that says something new. A null never replaces a value.
    """
    return _inserted(session, rows, _upsert(table, session.get_bind().dialect.name, tuple(update), newest))


def add_up(session: Session, table: type[Base], rows: list[dict[str, Any]], columns: Sequence[str]) -> None:
    """Insert rows; where the primary key exists, add to its columns instead."""
    _inserted(session, rows, _add_up(table, session.get_bind().dialect.name, tuple(columns)))


def upsert_many(
    session: Session, table: type[Base], columns: Columns, *, update: Sequence[str] = (), newest: str | None = None
) -> None:
    """Do what `upsert` does, with thousands of rows."""
    execute_many(session, _upsert(table, session.get_bind().dialect.name, tuple(update), newest), columns)


def widen_cache(session: Session, megabytes: int) -> None:
    """Let this session's connection keep so much of the database in memory: for changes all over it. SQLite only."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size=-{megabytes * 1024}")


def execute_many(session: Session, statement: Any, columns: Columns) -> None:
    """Execute a statement with thousands of rows of its parameters, straight through the driver.

    SQLAlchemy's own handling of a row takes as long as SQLite's.
    """
    connection = session.connection()
    sql, order, processors = _compiled(statement, connection.dialect, tuple(columns))
    rows = list(
        zip(*(map(processors[name], columns[name]) if processors[name] else columns[name] for name in order), strict=True)
    )
    if rows:
        connection.exec_driver_sql(sql, rows)


@lru_cache
def _compiled(statement: Any, dialect: Dialect, names: tuple[str, ...]) -> tuple[str, list[str], dict[str, Any]]:
    """Return the SQL of a statement, the order of its parameters, and what makes each a value of the driver's."""
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    return str(compiled), compiled.positiontup, {name: compiled.binds[name].type.bind_processor(dialect) for name in names}


def _inserted(session: Session, rows: list[dict[str, Any]], statement: Any) -> int:
    result: Any = session.execute(statement, rows) if rows else None
    return int(result.rowcount) if rows else 0


@lru_cache
def _upsert(table: type[Base], dialect: str, update: tuple[str, ...], newest: str | None) -> Any:
    statement, keys, columns = _insert(table, dialect)
    if not update:
        return statement.on_conflict_do_nothing(index_elements=keys)
    given = statement.excluded
    changes = {name: coalesce(given[name], columns[name]) for name in update}
    differs = or_(*(columns[name].is_distinct_from(value) for name, value in changes.items()))
    where = None if newest is None else coalesce(columns[newest] <= given[newest], true()) & differs
    return statement.on_conflict_do_update(index_elements=keys, set_=changes, where=where)


@lru_cache
def _add_up(table: type[Base], dialect: str, names: tuple[str, ...]) -> Any:
    statement, keys, columns = _insert(table, dialect)
    changes = {name: columns[name] + statement.excluded[name] for name in names}
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


def _insert(table: type[Base], dialect: str) -> tuple[Any, list[str], Any]:
    insert: Any = sqlite.insert if dialect == "sqlite" else postgresql.insert
    keys = [column.name for column in table.__table__.primary_key]
    return insert(table.__table__), keys, table.__table__.columns


def _engine(url: URL) -> Engine:
    driver = pysqlite3.dbapi2
    if driver.sqlite_version_info < WAL_SAFE_SQLITE:
        raise DatabaseUnavailable(f"SQLite {driver.sqlite_version} can corrupt a WAL database: 3.51.3 or newer is needed")
    options = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}
    engine = create_engine(url, module=driver, connect_args=options, pool_size=8, max_overflow=64, hide_parameters=True)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("immediate") else "BEGIN")


def known_revisions() -> set[str]:
    """Return the revisions of the schema that this program can read or upgrade."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _migrate(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseRevision("the database was written by a newer version of this program: upgrade the program") from error


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
