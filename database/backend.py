"""A database: SQLite or PostgreSQL behind one set of operations."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from database.errors import DatabaseNotMigrated
from database.turns import BUSY_TIMEOUT_S
from settings import DATA

T = TypeVar("T")


class Backend(Protocol):
    """A database backend; what its methods promise stands at Database."""

    engine: Engine

    @property
    def name(self) -> str: ...

    @property
    def folder(self) -> Path: ...

    @property
    def size(self) -> int: ...

    def reading(self, *, within: timedelta | None = None, as_of: str | None = None) -> AbstractContextManager[Session]: ...

    def writing(self) -> AbstractContextManager[Session]: ...

    def write(self, change: Callable[[Session], Any], *, patience_s: float) -> Any: ...

    def glance(self, question: str) -> list[Any]: ...

    def upgrade(self) -> None: ...

    def checkpoint(self) -> bool: ...

    def vacuum(self) -> None: ...

    def keep_open(self, close: Callable[[], object]) -> None: ...

    def close(self) -> None: ...


class Database:
    """One database: sessions to read and to write with. Opening it connects to nothing.

    With a `replica_url`, PostgreSQL's replicas answer readers that say what the newest state is told by. What belongs to a
    database on a server is kept in `data_folder`, what belongs to a file beside it.
    """

    def __init__(self, url: str, replica_url: str | None = None, *, data_folder: Path = DATA) -> None:
        self.url: URL = make_url(url)
        self._program = _backend(self.url, make_url(replica_url) if replica_url else None, data_folder)
        self.engine = self._program.engine

    @staticmethod
    def check(url: str) -> None:
        """Raise ValueError, with a reason in words, for a URL that no driver takes."""
        try:
            made = make_url(url)
        except (ValueError, ArgumentError):
            raise ValueError("it can't be read as a URL") from None
        if made.get_backend_name() != "sqlite":
            from database.members import Members

            Members(made)

    @property
    def on_file(self) -> bool:
        """Whether it is a SQLite file of this machine."""
        return self.engine.dialect.name == "sqlite"

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return self.folder / Path(self.url.database or "").name

    @property
    def name(self) -> str:
        """What its copies are called by."""
        return self._program.name

    @property
    def label(self) -> str:
        """The file's name, or the database's on its server."""
        return self.file.name if self.on_file else self.name

    @property
    def folder(self) -> Path:
        """Where what belongs to it is kept on this machine, such as its copies."""
        return self._program.folder

    @property
    def size(self) -> int:
        """The bytes that it takes, a SQLite file's write-ahead log included; raises DatabaseUnavailable."""
        return self._program.size

    def reading(self, *, within: timedelta | None = None, as_of: str | None = None) -> AbstractContextManager[Session]:
        """Give a session that sees one state of the database, for so long; raises QueryTooLong, DatabaseUnavailable.

        The state is the newest. With `as_of`, a question to which every state that differs for the reader has another answer,
        a replica may give it.
        """
        return self._program.reading(within=within, as_of=as_of)

    def glance(self, question: str) -> list[Any]:
        """Return the rows of one question that is answered at once, without a transaction; raises DatabaseUnavailable."""
        return self._program.glance(question)

    def writing(self) -> AbstractContextManager[Session]:
        """Give a session whose changes are committed together at the end, or not at all; raises DatabaseUnavailable.

        Where it raises DatabaseAway, they may have been committed.
        """
        return self._program.writing()

    def write(self, change: Callable[[Session], T], *, patience_s: float = BUSY_TIMEOUT_S) -> T:
        """Commit what `change` does with a session, once, and return what it returns; raises DatabaseUnavailable.

        Where a server goes away in the middle it is called again, with what the next primary has, for so long.
        """
        result: T = self._program.write(change, patience_s=patience_s)
        return result

    def upgrade(self) -> None:
        """Bring the schema to the newest revision in one transaction; safe to call from several processes at once."""
        self._program.upgrade()

    def check_schema(self) -> None:
        """Raise DatabaseNotMigrated unless the schema is the newest, DatabaseUnavailable where nobody answers."""
        from database.migrating import newest_revision

        if self.glance("SELECT version_num FROM alembic_version") != [(newest_revision(),)]:
            raise DatabaseNotMigrated("the database is of another version, and no primary is there to migrate it")

    def checkpoint(self) -> bool:
        """Leave nothing of what was deleted in a log; False where others hold that up."""
        return self._program.checkpoint()

    def vacuum(self) -> None:
        """Write it anew, without what was deleted; raises DatabaseUnavailable."""
        self._program.vacuum()

    def close(self) -> None:
        self._program.close()

    def keep_open(self, close: Callable[[], object]) -> None:
        """Let what must stay open as long as this is used be closed at the end, what was opened last first."""
        self._program.keep_open(close)


def _backend(url: URL, replica_url: URL | None, data_folder: Path) -> Backend:
    """Return the program that the URL names; only what is used is imported."""
    if url.get_backend_name() == "sqlite":
        from database.sqlite import SQLite

        return SQLite(url)
    from database.postgresql import PostgreSQL

    return PostgreSQL(url, replica_url, data_folder)
