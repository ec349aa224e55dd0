"""Restoring: replaces the database by a backup in one step, without losing what was spent and deleted since."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import update

from alchemy import Database, DatabaseBusy, DatabaseDamaged, DatabaseUnavailable, open_database
from collector import counters
from collector.backups import sums, tables
from collector.backups.backups import (
    BackupRefused,
    InvalidBackup,
    backup_folder,
    check_backup,
    reason_of,
    refuse_while_collecting,
)
from collector.backups.preserved import PreservedRows, add_preserved_rows, preserved_rows
from collector.backups.sweeping import beside
from collector.runs import lease
from collector.tweets import erasure
from collector.tweets.derived import reindex_outdated
from collector.tweets.rereading import reread_outdated
from database.sqlite_files import open_read_only, remove_with_side_files
from database.statements import upsert
from models import TWEET_WORDS, Lease
from queries.counters import COLLECTOR

log = logging.getLogger(__name__)


def restore(database: Database, source: Path) -> None:
    """Replace the database by a backup; raises CollectionRunning, BackupRefused, DatabaseRevision.

    It holds the collector's lease, and prepares everything in a file beside, so that one step replaces the database. The
    lease's token keeps growing, so that a collector from before can't store under it; so does the sequence of changes.

    Other processes may use the database meanwhile, and see all of the backup or nothing of it; but not a damaged one, because
    they would continue with a file that has lost its name. What was spent stays spent, and what was deleted stays deleted, as
    far as a damaged database can still tell.
    """
    if not source.exists() and (backup_folder(database) / source.name).exists():
        source = backup_folder(database) / source.name
    if source.is_file():
        _check_sum(source)
    check_backup(source)
    ready = beside(database, "ready")
    database.folder.mkdir(mode=0o700, exist_ok=True)  # a server's database needs it for nothing else
    with _hold_lease(database) as token:
        try:
            _prepare(source, ready, token, _read_preserved(database))
            if token:
                _check_lease(database, token)
                database.replace_from_file(ready, tables.copy_rows)
            else:
                with _refused_if_open():
                    database.replace_damaged_file(ready, f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-")
            erasure.truncate_log(database)
        except (OSError, sqlite.Error) as error:
            raise BackupRefused(f"{source.name} can't be put back: {reason_of(error)}") from error
        finally:
            remove_with_side_files(ready)


def _check_sum(source: Path) -> None:
    try:
        if not sums.check(source):
            log.warning("the copy has no SHA-256 beside it", extra={"backup": source.name})
    except sums.SumRefused as error:
        raise InvalidBackup(str(error)) from error


@contextmanager
def _hold_lease(database: Database) -> Iterator[int]:
    """Hold the collector's lease during the block and yield its token: 0 for a database that is too damaged to have one."""
    try:
        database.upgrade()
        with database.writing() as session:
            refuse_while_collecting(session)
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
    """Raise BackupRefused if the lease ran out, because another process may have stored purchases that would be replaced."""
    try:
        with database.writing() as session:
            lease.renew(session, token)
    except lease.LeaseLost as error:
        raise BackupRefused("it took so long that another collection began: try again") from error


def _prepare(source: Path, target: Path, token: int, preserved: PreservedRows | None) -> None:
    """Prepare the file that will replace the database: the backup, migrated, with the preserved rows and a free lease.

    It is vacuumed at the end, so that what was deleted after the backup was made is in no unused part of it.
    """
    draft = target.with_name(f"{target.name}-draft")
    for file in (target, draft):
        remove_with_side_files(file)  # of a restore that was killed
    try:
        with closing(open_read_only(source)) as copy, closing(sqlite.connect(draft)) as file:
            copy.backup(file)
        with closing(open_database(f"sqlite:///{draft}")) as ready:
            ready.upgrade()
            with ready.writing() as session:
                upsert(session, Lease, [{"name": COLLECTOR, "holder": None, "token": 0, "expires": 0}])
                session.execute(update(Lease).values(holder=None, expires=0, token=Lease.token + token + 1))
                counters.bump_generation(session, by=(preserved.sequence if preserved else 0) + 1)
                counters.begin_epoch(session)
                if preserved:
                    add_preserved_rows(session, preserved)
                reindex_outdated(session)
                reread_outdated(session)
                TWEET_WORDS.rebuild(session)
                erasure.clear_pending(session)
        with closing(open_read_only(draft)) as made:
            made.execute("VACUUM INTO ?", (str(target),))
    finally:
        remove_with_side_files(draft)


def _read_preserved(database: Database) -> PreservedRows | None:
    """Read what has to be added to the backup, as far as it can be read; None where there is nothing to read."""
    try:
        with database.reading() as session:
            return preserved_rows(session)
    except DatabaseUnavailable as error:
        log.error("ledger and deletions are not taken over", extra={"reason": str(error)})
        return None


@contextmanager
def _refused_if_open() -> Iterator[None]:
    """Raise BackupRefused where another process has the damaged file open."""
    try:
        yield
    except DatabaseBusy as error:
        raise BackupRefused(str(error)) from error
