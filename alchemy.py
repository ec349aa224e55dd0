"""The database: engine, sessions, the base of all tables, and where the dialects differ.

SQLite runs through the pysqlite3 wheel, whose SQLite is free of the WAL-reset corruption (https://sqlite.org/wal.html,
"The WAL-reset bug", fixed in 3.51.3). Every transaction begins with a BEGIN of its own, reads included, so that two SELECTs
in one session see one state; a writing session begins with BEGIN IMMEDIATE, so that it never fails half-way for a lock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, DateTime, Dialect, Engine, MetaData, String, create_engine, event, make_url, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.functions import FunctionElement, coalesce
from sqlalchemy.types import BigInteger, TypeDecorator

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
WAL_SAFE_SQLITE = (3, 51, 3)
BUSY_TIMEOUT_S = 5
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


class DatabaseNotMigrated(DatabaseUnavailable):
    """The database has no tables yet."""


class DatabaseDamaged(DatabaseUnavailable):
    """What stands where the database should is none, or is broken."""


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
        whole = value.astimezone(UTC).replace(microsecond=0)
        return f"{whole.replace(tzinfo=None).isoformat()}Z" if dialect.name == "sqlite" else whole

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return datetime.fromisoformat(value) if isinstance(value, str) else value


class quarter_hour(FunctionElement[int]):
    """The quarter of an hour that a UTCDateTime lies in, as the epoch second of its start."""

    type = BigInteger()
    inherit_cache = True


@compiles(quarter_hour, "sqlite")
def _quarter_hour_sqlite(element: FunctionElement[int], compiler: Any, **kw: Any) -> str:
    return f"unixepoch({compiler.process(element.clauses, **kw)}) / 900 * 900"


@compiles(quarter_hour, "postgresql")
def _quarter_hour_postgresql(element: FunctionElement[int], compiler: Any, **kw: Any) -> str:
    return f"CAST(floor(extract(epoch FROM {compiler.process(element.clauses, **kw)}) / 900) * 900 AS bigint)"


class Database:
    """One database: sessions to read and to write with. Opening it connects to nothing."""

    def __init__(self, url: str) -> None:
        self.url: URL = make_url(url)
        self.engine: Engine = _engine(self.url)
        self._writer = self.engine.execution_options(immediate=True)

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
        """Give a session whose changes are committed together at the end, or not at all; raises DatabaseUnavailable."""
        with _failures_named(), Session(self._writer) as session, session.begin():
            yield session

    def upgrade(self) -> None:
        """Bring the schema to the newest revision in one transaction; safe to call from several processes at once."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnavailable(f"the folder of the database can't be made: {error.strerror}") from error
        with _failures_named(), self._writer.connect() as connection, connection.begin():
            _migrate(connection)

    def close(self) -> None:
        self.engine.dispose()


def upsert(
    session: Session, table: type[Base], rows: list[dict[str, Any]], *, update: Sequence[str] = (), newest: str | None = None
) -> None:
    """Insert rows; where the primary key exists, set the columns in `update`, or leave the row as it is.

    With `newest`, an existing row is updated only by one whose column of that name is not older. A null never replaces a value.
    """
    if not rows:
        return
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = insert(table)
    keys = [column.name for column in table.__table__.primary_key]
    if not update:
        session.execute(statement.on_conflict_do_nothing(index_elements=keys), rows)
        return
    given = statement.excluded
    where = None if newest is None else coalesce(getattr(table, newest) <= given[newest], true())
    changes = {name: coalesce(given[name], getattr(table, name)) for name in update}
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes, where=where), rows)


def _engine(url: URL) -> Engine:
    driver = pysqlite3.dbapi2
    if driver.sqlite_version_info < WAL_SAFE_SQLITE:
        raise DatabaseUnavailable(f"SQLite {driver.sqlite_version} can corrupt a WAL database: 3.51.3 or newer is needed")
    options = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}
    engine = create_engine(url, module=driver, connect_args=options, pool_size=8, max_overflow=64)
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


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        failure = _failure(error)
        if failure is None:
            raise
        raise failure from error


def _failure(error: DBAPIError) -> DatabaseUnavailable | None:
    """Return what is wrong outside our own code, or None for a programming error."""
    text = str(error.orig).lower()
    known = {
        "locked": DatabaseUnavailable("the database is busy"),
        "full": DatabaseUnavailable("the disk of the database is full"),
        "unable to open": DatabaseUnavailable("the database can't be opened"),
        "readonly": DatabaseUnavailable("the database is read-only"),
        "disk i/o": DatabaseUnavailable("the disk of the database fails"),
        "malformed": DatabaseDamaged("the database is damaged"),
        "not a database": DatabaseDamaged("the database's file is no database"),
        "no such table": DatabaseNotMigrated("the database is not migrated"),
    }
    return next((failure for words, failure in known.items() if words in text), None)
