"""Copies of the database, taken online, and the way back; dropping keeps one first."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseBusy, DatabaseDamaged, DatabaseUnavailable, open_database
from collector import figures
from collector.backups import sums, tables
from collector.backups.remains import PreservedRows, preserved_rows, take_over
from collector.runs import lease, runs
from collector.runs.collector import CollectionRunning
from collector.sources import MARK
from collector.tweets import derived, erasure, hashtags, words
from database.backend import Scalar
from database.migrating import known_revisions
from database.sqlite_files import open_read_only, sync_folder, with_side_files
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
        counted = _copy(database, partial, count=checked)
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
        erasure.owe(session)
        figures.bump_generation(session)
    _forget_older_copies(database)
    erasure.settle(database)
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
    _make_folder(database.folder)  # a server's database has none until now
    with _hold_lease(database) as token:
        try:
            _get_ready(source, ready, token, _read_preserved(database))
            if token:
                _check_lease(database, token)
                database.replace_from_file(ready, tables.copy_rows)
            else:
                _replace_damaged(database, ready)
            erasure.truncate_log(database)
        except sqlite.Error as error:
            raise BackupRefused(f"{source.name} can't be put back: {error}") from error
        except OSError as error:
            raise BackupRefused(f"{source.name} can't be put back: {os.strerror(error.errno or 0)}") from error
        finally:
            for file in with_side_files(ready):
                file.unlink(missing_ok=True)


@contextmanager
def _hold_lease(database: Database) -> Iterator[int]:
    """Hold the lease while the block runs, and give its token: 0 for a database that is too damaged to have one."""
    try:
        database.upgrade()
        with database.writing() as session:
            _refuse_while_collecting(session)
            token = lease.take(session, f"{lease.RESTORING}:{os.getpid()}") or 0
    except DatabaseDamaged:
        with _refused_if_open(), database.exclusive_file():
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
    for file in with_side_files(target) + with_side_files(draft):
        file.unlink(missing_ok=True)  # of a restore that was killed
    try:
        with closing(open_read_only(source)) as copy, closing(sqlite.connect(draft)) as file:
            copy.backup(file)
        with closing(open_database(f"sqlite:///{draft}")) as ready:
            ready.upgrade()
            with ready.writing() as session:
                upsert(session, Lease, [{"name": COLLECTOR, "holder": None, "token": 0, "expires": 0}])
                session.execute(update(Lease).values(holder=None, expires=0, token=Lease.token + token + 1))
                figures.bump_generation(session, by=(left.sequence if left else 0) + 1)
                figures.begin_epoch(session)
                if left:
                    take_over(session, left)
                words.follow_rules(session)
                hashtags.follow_rules(session)
                TWEET_WORDS.rebuild(session)
                erasure.clear_pending(session)
        with closing(open_read_only(draft)) as made:
            made.execute("VACUUM INTO ?", (str(target),))
    finally:
        for file in with_side_files(draft):
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
    """Put the file that is ready in the place of a damaged one, which is kept beside it; raises BackupRefused, OSError."""
    with _refused_if_open():
        database.replace_damaged_file(ready, f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-")


@contextmanager
def _refused_if_open() -> Iterator[None]:
    """Raise BackupRefused where another process has the damaged file open."""
    try:
        yield
    except DatabaseBusy as error:
        raise BackupRefused(str(error)) from error


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
    """Copy one state of the database, and return how many rows it has if asked to count."""
    return database.copy_to_file(partial, tables.copy_rows, lambda scalar: _counts(scalar) if count else [])


def _make_private(partial: Path) -> None:
    """Make an empty file that only its owner may read; SQLite keeps its mode, where it would make one by the umask."""
    _remove(partial)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _remove(partial: Path) -> None:
    for file in (*with_side_files(partial), sums.draft(partial)):
        file.unlink(missing_ok=True)


def _check_counts(partial: Path, counted: list[int]) -> None:
    with closing(open_read_only(partial)) as copy:
        if _counts(lambda sql: int(copy.execute(sql).fetchone()[0])) != counted:
            raise BackupRefused(f"{partial.name} has other rows than the database")


def _counts(scalar: Scalar) -> list[int]:
    return [scalar(str(select(func.count()).select_from(table))) for table in COUNTED]


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
        with closing(open_read_only(source)) as copy:
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
