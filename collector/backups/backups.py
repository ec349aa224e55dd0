"""Copies of the database, taken online, and the way back; dropping keeps one first."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseDamaged, DatabaseUnavailable
from collector import figures
from collector.backups import sums, tables
from collector.backups.remains import PreservedRows, preserved_rows, take_over
from collector.runs import lease, runs
from collector.runs.collector import CollectionRunning
from collector.sources import MARK
from collector.tweets import derived, erasure
from collector.tweets.reindexing import reindex_outdated
from database.migrating import known_revisions
from database.statements import upsert
from models import (
    TWEET_WORDS,
    Author,
    AuthorPayload,
    BackfillSpan,
    DatabaseMark,
    Lease,
    Listing,
    Payload,
    Run,
    Spend,
    Tag,
    Tombstone,
    Tweet,
    TweetTag,
    Version,
)
from queries.leases import COLLECTOR, live_token

log = logging.getLogger(__name__)

KEPT_AT_DROP = 3
HEADER = 100  # bytes of a SQLite file, by which it is known
LOCK_FIRST, LOCK_BYTES = 0x40000000, 512  # where SQLite locks a file: https://sqlite.org/fileformat.html#the_lock_byte_page
COUNTED = (Tweet, TweetTag, Author, Payload, Run, Spend, Tombstone)


class BackupRefused(Exception):
    """A copy can't be made or put back; the text says why, and the database is as it was."""


class CopyRefused(BackupRefused):
    """The file that is to be put back is no copy that could be."""


def backup(database: Database, target: Path, *, checked: bool = False) -> None:
    """Copy the database to a file of its own while it is used, with its sum beside it; never over a file that exists.

    Only its owner may read them. With `checked` they get their names only once the copy was read through, and has as many
    rows as what was copied.
    """
    for file in (target, sums.beside(target)):
        if file.exists():
            raise BackupRefused(f"{file.name} exists already")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        _make_private(partial)
        counted = (_copy if database.on_file else _gather)(database, partial, count=checked)
        if checked:
            _check(partial)
            _check_counts(partial, counted)
        sums.name_both(partial, target)
        sync_folder(target.parent)
    except FileExistsError as error:
        raise BackupRefused(f"{Path(error.filename2 or target).name} exists already") from error
    except (OSError, sqlite.Error) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)
        raise BackupRefused(f"{target.name} can't be written: {reason}") from error
    finally:
        with suppress(OSError):
            _remove(partial)


def drop(database: Database) -> str:
    """Remove all tweets and return the name of the copy that was kept; raises CollectionRunning, BackupRefused.

    One transaction holds off every writer from the copy to the end, so that the copy has all that is removed.
    """
    with database.writing() as session:
        _refuse_while_collecting(session)
        name = _keep_copy(database)
        derived.clear(session)
        for table in (TweetTag, Version, Payload, Tweet, AuthorPayload, Author, Listing, BackfillSpan):
            session.execute(delete(table))
        session.execute(delete(DatabaseMark).where(DatabaseMark.name == MARK))
        session.execute(update(Tag).values(from_id=None, since_id=None))
        erasure.record_deletion(session)
        figures.bump_generation(session)
    _forget_older_copies(database)
    erasure.erase(database)
    return name


def restore(database: Database, source: Path) -> None:
    """Put a copy back over the database; raises CollectionRunning, BackupRefused, DatabaseRevision.

    It holds the collector's lease, and gets everything ready in a file beside, so that one step replaces the database. The
    lease's token goes on growing, so that a collector from before can't store under it; so does the sequence of changes.
    Others may use the database meanwhile, and see all of the copy or nothing of it; but not a damaged one, for they would go on
    with a file that has lost its name. What was spent stays spent, and what was deleted stays deleted, as far as a damaged
    database can still tell.
    """
    if not source.exists() and (backups(database) / source.name).exists():
        source = backups(database) / source.name
    if source.is_file():
        _check_sum(source)
    _check(source)
    ready = beside(database, "ready")
    if not database.on_file:
        _make_folder(database.folder)  # a server's database needs none but for this
    with _hold_lease(database) as token:
        try:
            _get_ready(source, ready, token, _read_preserved(database))
            if token:
                _check_lease(database, token)
                _replace_database(database, ready)
            else:
                _replace_damaged(database, ready)
            erasure.truncate_log(database)
        except sqlite.Error as error:
            raise BackupRefused(f"{source.name} can't be put back: {error}") from error
        except OSError as error:
            raise BackupRefused(f"{source.name} can't be put back: {os.strerror(error.errno or 0)}") from error
        finally:
            for file in _files(ready):
                file.unlink(missing_ok=True)


def _replace_database(database: Database, ready: Path) -> None:
    """Replace the database in one step by the file that is ready."""
    if database.on_file:
        with closing(_open(ready)) as copy, closing(database.engine.raw_connection()) as live:
            copy.backup(live.driver_connection)
        return
    with closing(Database(f"sqlite:///{ready}")) as file, file.reading() as rows, database.writing() as session:
        tables.copy_rows(rows, session)


@contextmanager
def _hold_lease(database: Database) -> Iterator[int]:
    """Hold the lease while the block runs, and give its token: 0 for a database that is too damaged to have one."""
    try:
        database.upgrade()
        with database.writing() as session:
            _refuse_while_collecting(session)
            token = lease.take(session, f"{lease.RESTORING}:{os.getpid()}") or 0
    except DatabaseDamaged:
        if not database.on_file:
            raise
        database.close()
        with _alone(database.file):
            pass
        yield 0
        return
    try:
        with lease.renewing(database, token, lambda: None):
            yield token
    finally:
        with suppress(DatabaseUnavailable), database.writing() as session:
            lease.give_back(session, token)


def _check_lease(database: Database, token: int) -> None:
    """Raise BackupRefused if the lease ran out meanwhile, for then somebody may have bought what would be replaced."""
    try:
        with database.writing() as session:
            lease.renew(session, token)
    except lease.LeaseLost as error:
        raise BackupRefused("it took so long that another collection began: try again") from error


def _get_ready(source: Path, target: Path, token: int, left: PreservedRows | None) -> None:
    """Make what will replace the database: the copy, migrated, with what it takes over, and a free lease.

    It is written anew at the end, so that what was deleted after the copy was made is in no unused part of it.
    """
    draft = target.with_name(f"{target.name}-draft")
    for file in _files(target) + _files(draft):
        file.unlink(missing_ok=True)  # of a restore that was killed
    try:
        with closing(_open(source)) as copy, closing(sqlite.connect(draft)) as file:
            copy.backup(file)
        with closing(Database(f"sqlite:///{draft}")) as ready:
            ready.upgrade()
            with ready.writing() as session:
                upsert(session, Lease, [{"name": COLLECTOR, "holder": None, "token": 0, "expires": 0}])
                session.execute(update(Lease).values(holder=None, expires=0, token=Lease.token + token + 1))
                figures.bump_generation(session, by=(left.sequence if left else 0) + 1)
                figures.begin_epoch(session)
                if left:
                    take_over(session, left)
                reindex_outdated(session)
                TWEET_WORDS.rebuild(session)
                erasure.clear_pending(session)
        with closing(_open(draft)) as made:
            made.execute("VACUUM INTO ?", (str(target),))
    finally:
        for file in _files(draft):
            file.unlink(missing_ok=True)


def _read_preserved(database: Database) -> PreservedRows | None:
    """Return what the copy takes over, as far as it can be read, or None."""
    try:
        with database.reading() as session:
            return preserved_rows(session)
    except DatabaseUnavailable as error:
        log.error("ledger and deletions are not taken over", extra={"reason": str(error)})
        return None


def _replace_damaged(database: Database, ready: Path) -> None:
    """Put the file that is ready in the place of a damaged one, which is kept beside it; raises BackupRefused, OSError.

    First the old one is made unreadable: whoever is killed then leaves a database that nobody can open, and no empty one or an
    older state, without its write-ahead log.
    """
    database.close()
    name = f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-"
    for file in _files(database.file):
        if file.exists():
            shutil.copy2(file, file.with_name(name + file.name))
    shutil.copymode(database.file, ready)
    with ready.open("rb") as made:
        os.fsync(made.fileno())
    with _alone(database.file) as descriptor:
        os.pwrite(descriptor, bytes(HEADER), 0)
        os.fsync(descriptor)
        for file in _files(database.file)[1:]:
            file.unlink(missing_ok=True)
        ready.replace(database.file)
        sync_folder(database.folder)


@contextmanager
def _alone(file: Path) -> Iterator[int]:
    """Give a descriptor of a SQLite file that no process has open, and let none open it meanwhile; raises BackupRefused.

    A connection to a WAL database holds a lock on these bytes as long as it is open (SQLite's os_unix.c, "shared lock").
    """
    descriptor = os.open(file, os.O_RDWR)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCK_BYTES, LOCK_FIRST)
        except (BlockingIOError, PermissionError) as error:
            raise BackupRefused(f"{file.name} is damaged, and a process has it open: stop the service first") from error
        yield descriptor
    finally:
        os.close(descriptor)


def _files(file: Path) -> list[Path]:
    """Return a database's file and those that SQLite keeps beside it."""
    return [file, *(file.with_name(f"{file.name}-{kind}") for kind in ("wal", "shm", "journal"))]


def beside(database: Database, name: str) -> Path:
    """A hidden file beside the database, for what is to replace it."""
    return database.folder / f".{database.label}.{name}"


def backups(database: Database) -> Path:
    """The folder of the copies that dropping and the schedule keep."""
    return database.folder / "backups"


def make_backups(database: Database) -> Path:
    """Make the folder of copies where it isn't there, and return it; raises OSError."""
    _make_folder(database.folder)
    _make_folder(backups(database))
    return backups(database)


def _make_folder(folder: Path) -> None:
    """Make a folder for its owner alone, in one that is there; raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)


def _copy(database: Database, partial: Path, *, count: bool) -> list[int]:
    """Copy one state of the database, and return how many rows it has if asked to count.

    All within one read: a copy that lets go of it in between begins again with each commit of somebody else.
    """
    with closing(database.engine.raw_connection()) as live, closing(sqlite.connect(partial)) as copy:
        driver: Any = live.driver_connection
        driver.execute("BEGIN").close()
        counted = _counts(driver) if count else []
        driver.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE").close()
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    return counted


def _gather(database: Database, partial: Path, *, count: bool) -> list[int]:
    """Gather the rows of one state of a server's database in a file, and return how many there are if asked to count."""
    with closing(Database(f"sqlite:///{partial}")) as file:
        file.upgrade()
        with database.reading() as rows, file.writing() as session:
            counted = [rows.scalar(select(func.count()).select_from(table)) or 0 for table in COUNTED] if count else []
            tables.copy_rows(rows, session)
        file.checkpoint()
    with closing(sqlite.connect(partial)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE").close()
    with partial.open("rb") as made:
        os.fsync(made.fileno())
    return counted


def _make_private(partial: Path) -> None:
    """Make an empty file that only its owner may read; SQLite keeps its mode, where it would make one by the umask."""
    _remove(partial)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _remove(partial: Path) -> None:
    for file in (*_files(partial), sums.draft(partial)):
        file.unlink(missing_ok=True)


def _check_counts(partial: Path, counted: list[int]) -> None:
    with closing(_open(partial)) as copy:
        if _counts(copy) != counted:
            raise BackupRefused(f"{partial.name} has other rows than the database")


def _counts(connection: Any) -> list[int]:
    questions = [str(select(func.count()).select_from(table)) for table in COUNTED]
    return [connection.execute(question).fetchone()[0] for question in questions]


def _keep_copy(database: Database) -> str:
    try:
        folder = make_backups(database)
    except OSError as error:
        raise BackupRefused(f"the folder of copies can't be made: {os.strerror(error.errno or 0)}") from error
    target = folder / f"{database.name}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.db"
    backup(database, target)
    return target.name


def _forget_older_copies(database: Database) -> None:
    copy = re.compile(re.escape(database.name) + r"-\d{8}T\d{12}Z\.db")
    for old in sorted(file for file in backups(database).iterdir() if copy.fullmatch(file.name))[:-KEPT_AT_DROP]:
        sums.forget(old)


def _refuse_while_collecting(session: Session) -> None:
    if live_token(session) is not None:
        raise CollectionRunning(runs.running(session))


def _check_sum(source: Path) -> None:
    try:
        if not sums.check(source):
            log.warning("the copy has no SHA-256 beside it", extra={"backup": source.name})
    except sums.SumRefused as error:
        raise CopyRefused(str(error)) from error


def _check(source: Path) -> None:
    """Raise CopyRefused for what is no sound copy of a database of ours."""
    if source.exists() and not source.is_file():
        raise CopyRefused(f"{source.name} is no regular file")
    try:
        with closing(_open(source)) as copy:
            healthy = copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            ours = {"alembic_version", "tweets"} <= tables
            revisions = [name for (name,) in copy.execute("SELECT version_num FROM alembic_version")] if ours else []
    except sqlite.Error as error:
        raise CopyRefused(f"{source.name} can't be read as a database: {error}") from error
    if not healthy:
        raise CopyRefused(f"{source.name} is damaged")
    if len(revisions) != 1:
        raise CopyRefused(f"{source.name} is no copy of this program's database")
    if not known_revisions().issuperset(revisions):
        raise CopyRefused(f"{source.name} was written by a newer version of this program")


def _open(source: Path) -> sqlite.Connection:
    return sqlite.connect(f"file:{quote(str(source.absolute()))}?mode=ro", uri=True)


def sync_folder(folder: Path) -> None:
    """Have a folder's entries on the disk, such as the name of a file that was just linked."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
