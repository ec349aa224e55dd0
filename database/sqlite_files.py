"""The files of a SQLite database: copied, rewritten and replaced while other connections and processes use them."""

from __future__ import annotations

import fcntl
import mmap
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import Engine

from database.backend import Scalar
from database.errors import DatabaseBusy, DatabaseUnavailable
from database.limits import BUSY_TIMEOUT_S

T = TypeVar("T")

FIRST_STEP_PAGES = 1  # the first step takes the write lock, and an unfinished copy is rolled back
SQLITE_DONE = 101
WAL_INDEX_HEADER = 48  # bytes
HEADER_BYTES = 100  # without its header a file is not recognised as SQLite's
LOCK_FIRST, LOCK_BYTES = 0x40000000, 512  # where SQLite locks a file: https://sqlite.org/fileformat.html#the_lock_byte_page


class _Changed(Exception):
    """Another connection has written in the meantime."""


def with_side_files(file: Path) -> list[Path]:
    """The database's file and those that SQLite keeps beside it."""
    return [file, *(file.with_name(f"{file.name}-{kind}") for kind in ("wal", "shm", "journal"))]


def copy(engine: Engine, target: Path, count: Callable[[Scalar], T]) -> T:
    """Copies one state of the database, and returns what `count` finds in it. Raises sqlite.Error, OSError.

    Both happen in one read transaction: without one, SQLite restarts the copy after each commit of another connection.
    """
    with closing(engine.raw_connection()) as live, closing(sqlite.connect(target)) as written:
        driver: Any = live.driver_connection
        driver.execute("BEGIN").close()
        counted = count(lambda sql: int(driver.execute(sql).fetchone()[0]))
        driver.backup(written)
    finish(target)
    return counted


def finish(copied: Path) -> None:
    """Makes a copied database one file without a write-ahead log, and syncs it to the disk."""
    with closing(sqlite.connect(copied)) as file:
        file.execute("PRAGMA journal_mode=DELETE").close()
    with copied.open("rb") as file:
        os.fsync(file.fileno())


def rewrite(file: Path, draft: Path) -> None:
    """Rewrites a database through a second file, in one transaction. Raises DatabaseUnavailable.

    VACUUM alone works in memory, as large as the database. If another connection writes in between, nothing is replaced.
    """
    try:
        with closing(_open(file)) as reader:
            version = _vacuum_into(file, reader, draft)
            with closing(_open(draft)) as source, closing(_open(file)) as live:
                source.backup(live, pages=FIRST_STEP_PAGES, progress=partial(_check_unchanged, reader, version))
    except _Changed as error:
        raise DatabaseUnavailable("the database was changed while it was rewritten") from error
    except (OSError, sqlite.Error) as error:
        raise DatabaseUnavailable(f"the database can't be rewritten: {error}") from error
    finally:
        remove_with_side_files(draft)


def _vacuum_into(file: Path, reader: sqlite.Connection, draft: Path) -> int:
    """Writes the second file while holding the write lock, and returns the version of the data in it."""
    remove_with_side_files(draft)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(_open(file)) as holder:
        holder.execute("BEGIN IMMEDIATE").close()
        reader.execute("VACUUM INTO ?", (str(draft),)).close()
        return _data_version(reader)


def _check_unchanged(reader: sqlite.Connection, version: int, status: int, *_pages: int) -> None:
    """Raises _Changed if another connection has written; between the first step and the last none can."""
    if status != SQLITE_DONE and _data_version(reader) != version:
        raise _Changed


def _data_version(reader: sqlite.Connection) -> int:
    ((version,),) = reader.execute("PRAGMA data_version").fetchall()
    return int(version)


@contextmanager
def lock_exclusively(file: Path) -> Iterator[int]:
    """Gives a descriptor of a SQLite file, and lets no process open it meanwhile. Raises DatabaseBusy if one has it open.

    A connection to a WAL database holds a lock on these bytes as long as it is open (SQLite's os_unix.c, "shared lock").
    """
    descriptor = os.open(file, os.O_RDWR)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCK_BYTES, LOCK_FIRST)
        except (BlockingIOError, PermissionError) as error:
            raise DatabaseBusy(f"{file.name} is damaged, and a process has it open: stop the service first") from error
        yield descriptor
    finally:
        os.close(descriptor)


def replace_damaged(file: Path, ready: Path, kept: str) -> None:
    """Replaces a damaged file, and keeps copies of it whose names begin with `kept`. Raises DatabaseBusy, OSError.

    The old file's header is overwritten first: if the process is killed in between, it leaves a file that SQLite refuses to
    open, never an empty database or an older state without its write-ahead log.
    """
    for damaged in with_side_files(file):
        if damaged.exists():
            shutil.copy2(damaged, damaged.with_name(kept + damaged.name))
    shutil.copymode(file, ready)
    with ready.open("rb") as made:
        os.fsync(made.fileno())
    with lock_exclusively(file) as descriptor:
        os.pwrite(descriptor, bytes(HEADER_BYTES), 0)
        os.fsync(descriptor)
        for beside in with_side_files(file)[1:]:
            beside.unlink(missing_ok=True)
        ready.replace(file)
        sync_folder(file.parent)


def drop_from_cache(file: Path) -> list[int]:
    """Drops a file from the kernel's cache, and returns the descriptor, if there is one.

    It must stay open while SQLite uses the file: closing any descriptor of a file releases all of the process's locks on it
    (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    if not (file.exists() and hasattr(os, "posix_fadvise")):
        return []
    descriptor = os.open(file, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return [descriptor]


def map_wal_index(file: Path, stack: ExitStack) -> mmap.mmap:
    """Maps the start of a WAL index, until the stack is closed. Raises OSError, sqlite.Error.

    SQLite keeps the index in place as long as a connection is open that has read something. The descriptor stays open too:
    closing it would release all locks that SQLite has on the file in this process.
    """
    with ExitStack() as opened:
        keeper = opened.enter_context(closing(sqlite.connect(f"file:{file}?mode=rw", uri=True, check_same_thread=False)))
        keeper.execute("SELECT count(*) FROM sqlite_schema").close()
        descriptor = os.open(file.with_name(f"{file.name}-shm"), os.O_RDONLY)
        opened.callback(os.close, descriptor)
        index = opened.enter_context(mmap.mmap(descriptor, 2 * WAL_INDEX_HEADER, prot=mmap.PROT_READ))
        stack.push(opened.pop_all())
    return index


def sync_folder(folder: Path) -> None:
    """Syncs a folder's entries to the disk, such as the name of a new file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_read_only(file: Path) -> sqlite.Connection:
    return sqlite.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)


def _open(file: Path) -> sqlite.Connection:
    return sqlite.connect(file, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def remove_with_side_files(file: Path) -> None:
    """Removes a database's file and those beside it, as far as they exist."""
    for one in with_side_files(file):
        one.unlink(missing_ok=True)
