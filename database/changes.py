"""Whether a database has changed, told without a question to it.

A WAL database's index begins with a header, written twice, that every commit changes, and SQLite itself takes a state that it
has read for the newest one as long as that header is the same (https://sqlite.org/walformat.html#the_wal_index_header).
"""

from __future__ import annotations

import mmap
import os
import threading
from contextlib import ExitStack, closing, suppress

import pysqlite3.dbapi2 as sqlite

from database.backend import Database

HEADER = 48


class Changes:
    """Gives a mark that differs after every commit, whoever commits. SQLite only."""

    def __init__(self, database: Database) -> None:
        self._database, self._opening = database, threading.Lock()
        self._index: mmap.mmap | None = None
        self.can_tell = database.engine.dialect.name == "sqlite"

    def mark(self) -> bytes | None:
        """Return the mark of the newest state; None where it can't be told, as in the middle of a commit."""
        index = self._index or self._opened()
        if index is None:
            return None
        first, second = index[:HEADER], index[HEADER : 2 * HEADER]
        return first if first == second else None

    def _opened(self) -> mmap.mmap | None:
        if not self.can_tell:
            return None
        with self._opening, suppress(OSError, sqlite.Error):
            self._index = self._index or self._open()
        return self._index

    def _open(self) -> mmap.mmap:
        """Open the index, which stays where it is as long as a connection is open that has read something.

        Its descriptor stays open as well: with one that is closed the process gives up SQLite's locks on the file.
        """
        file = self._database.file
        with ExitStack() as stack:
            keeper = stack.enter_context(closing(sqlite.connect(f"file:{file}?mode=rw", uri=True, check_same_thread=False)))
            keeper.execute("SELECT count(*) FROM sqlite_schema").close()
            descriptor = os.open(file.with_name(f"{file.name}-shm"), os.O_RDONLY)
            stack.callback(os.close, descriptor)
            index = stack.enter_context(mmap.mmap(descriptor, 2 * HEADER, prot=mmap.PROT_READ))
            self._database.keep_open(stack.pop_all().close)
        return index
