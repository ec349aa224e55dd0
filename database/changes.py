"""Detects changes of a SQLite database without a query.

The index of a write-ahead log starts with a header, stored twice, that every commit changes. SQLite itself considers its
snapshot the newest as long as that header is the same (https://sqlite.org/walformat.html#the_wal_index_header).
"""

from __future__ import annotations

import mmap
import os
import threading
from contextlib import ExitStack, closing, suppress

import pysqlite3.dbapi2 as sqlite

from database.backend import Database
from database.sqlite import SQLite

HEADER = 48


class Changes:
    """Gives a mark that differs after every commit of any process. SQLite only."""

    def __init__(self, database: Database) -> None:
        self._database = database if isinstance(database, SQLite) else None
        self._opening = threading.Lock()
        self._index: mmap.mmap | None = None

    @property
    def can_tell(self) -> bool:
        """Whether the database has marks."""
        return self._database is not None

    def mark(self) -> bytes | None:
        """The mark of the newest state; None where it is unknown, as in the middle of a commit."""
        index = self._index or self._open_once()
        if index is None:
            return None
        first, second = index[:HEADER], index[HEADER : 2 * HEADER]
        return first if first == second else None

    def _open_once(self) -> mmap.mmap | None:
        if self._database is None:
            return None
        with self._opening, suppress(OSError, sqlite.Error):
            self._index = self._index or _open_index(self._database)
        return self._index


def _open_index(database: SQLite) -> mmap.mmap:
    """Opens the index. SQLite keeps it in place as long as a connection is open that has read something.

    The file descriptor stays open too: closing it would release all locks that SQLite has on the file in this process.
    """
    file = database.file
    with ExitStack() as stack:
        keeper = stack.enter_context(closing(sqlite.connect(f"file:{file}?mode=rw", uri=True, check_same_thread=False)))
        keeper.execute("SELECT count(*) FROM sqlite_schema").close()
        descriptor = os.open(file.with_name(f"{file.name}-shm"), os.O_RDONLY)
        stack.callback(os.close, descriptor)
        index = stack.enter_context(mmap.mmap(descriptor, 2 * HEADER, prot=mmap.PROT_READ))
        database.keep_open(stack.pop_all().close)
    return index
