"""The database: what SQLite and PostgreSQL have in common. `alchemy.open_database` chooses between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

from database.errors import DatabaseDamaged, DatabaseNotMigrated
from database.limits import BUSY_TIMEOUT_S
from database.migrating import newest_revision

T = TypeVar("T")
Scalar = Callable[[str], int]
"""Runs a SQL query that has one number as its result, and returns that number."""
CopyRows = Callable[[Session, Session], None]
"""Replaces all rows of the second session's database by those of the first."""


class Database(ABC):
    """Sessions for reading and writing, and maintenance. Thread-safe. Creating it connects to nothing."""

    backend_name: ClassVar[str]
    """The backend's name, as pages show it."""

    has_commit_marks: ClassVar[bool] = False

    url: URL
    engine: Engine
    name: str
    """What the names of its backups begin with."""
    label: str
    """The file's name, or the database's name on its server."""
    folder: Path
    """The folder on this machine for what belongs to the database, such as its backups."""
    file: Path
    """The SQLite file. For a database on a server it is a path in `folder` at which there is none."""

    @property
    @abstractmethod
    def size(self) -> int:
        """The bytes on disk, SQLite's write-ahead log included. Raises DatabaseUnavailable."""

    @abstractmethod
    def reading(self, *, within: timedelta | None = None, as_of: str | None = None) -> AbstractContextManager[Session]:
        """Gives a session that reads one consistent state. Raises QueryTooLong, DatabaseUnavailable.

        `within` is the time limit of each query. The state is the newest one. `as_of` is a query whose result changes whenever
        anything changes that the reader can see: with it a replica may answer, if its result equals the primary's.
        """

    def reading_untouched(self) -> AbstractContextManager[Session]:
        """Gives a session that reads one state of a database of any schema, and changes nothing, not even a file.

        Raises DatabaseUnavailable, and DBAPIError for a file that can't be read.
        """
        return self.reading()

    @abstractmethod
    def query(self, sql: str) -> list[Any]:
        """Returns the rows of one short query, without a transaction. Raises DatabaseUnavailable."""

    def commit_mark(self) -> bytes | None:
        """What differs after every commit of any process; None if it is unknown, as in the middle of a commit."""
        return None

    @abstractmethod
    def writing(self) -> AbstractContextManager[Session]:
        """Gives a session whose changes are committed together at the end, or not at all. Raises DatabaseUnavailable.

        After DatabaseAway the changes may have been committed.
        """

    @abstractmethod
    def write(self, change: Callable[[Session], T], *, timeout_s: float = BUSY_TIMEOUT_S) -> T:
        """Runs `change` with a session, commits it exactly once and returns its result. Raises DatabaseUnavailable.

        If a server goes away, `change` is called again on the next primary, until the timeout.
        """

    @abstractmethod
    def upgrade(self) -> None:
        """Migrates the schema to the newest revision in one transaction. Several processes may call it at the same time."""

    def check_schema(self) -> None:
        """Raises DatabaseNotMigrated unless the schema is the newest, DatabaseUnavailable if no server answers."""
        if self.query("SELECT version_num FROM alembic_version") != [(newest_revision(),)]:
            raise DatabaseNotMigrated("the database is of another version, and no primary is there to migrate it")

    def check_folder(self) -> None:  # noqa: B027 (servers have none)
        """Raises ValueError if the database is a file whose folder doesn't exist."""

    @abstractmethod
    def checkpoint(self) -> bool:
        """Removes deleted rows from the write-ahead log. Returns False if other connections prevent it."""

    @abstractmethod
    def vacuum(self) -> None:
        """Removes deleted rows from the storage. Raises DatabaseUnavailable."""

    def rewrite(self, draft: Path, *, exclusively: AbstractContextManager[None]) -> None:
        """Removes deleted rows from the storage, however large it is. Raises DatabaseUnavailable.

        SQLite uses the file `draft`, and enters the context `exclusively`, which must keep writers away.
        """
        self.vacuum()

    @abstractmethod
    def copy_to_file(self, target: Path, copy_rows: CopyRows, count: Callable[[Scalar], T]) -> T:
        """Copies one state of the database into a SQLite file, and returns what `count` finds in the same state.

        Raises sqlite.Error, OSError, DatabaseUnavailable.
        """

    @abstractmethod
    def replace_from_file(self, ready: Path, copy_rows: CopyRows) -> None:
        """Replaces everything by the contents of a migrated SQLite file, in one transaction."""

    def exclusive_file(self) -> AbstractContextManager[int]:
        """Gives a descriptor of the file while no process has it open. Raises DatabaseBusy if one has.

        On a server it raises DatabaseDamaged: only the server may touch its files.
        """
        raise DatabaseDamaged("the database is damaged")

    def replace_damaged_file(self, ready: Path, kept: str) -> None:
        """Replaces a damaged file by another, and keeps a copy whose name begins with `kept`. Raises as `exclusive_file`."""
        raise DatabaseDamaged("the database is damaged")

    def integrity_faults(self, session: Session) -> list[str]:
        """Returns what is wrong with the stored pages and references, as sentences. Servers check theirs themselves."""
        return []

    @abstractmethod
    def close(self) -> None:
        """Closes all connections."""
