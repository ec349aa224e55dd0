"""Backups of the database: by command, by schedule, and before `DELETE /database`. Each is a SQLite file with its SHA-256.

They are made while the database is used. Those by schedule and those before a deletion are in the folder `backups`, which keeps
the newest of each kind.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from alchemy import Database
from collector import counters
from collector.backups import sums, tables
from collector.runs import runs
from collector.runs.collector import CollectionRunning
from collector.sources import MARK
from collector.tweets import derived, erasure
from database.backend import Scalar
from database.migrating import CARRY_OVER, NEWER, known_revisions, predates
from database.sqlite_files import open_read_only, remove_with_side_files, sync_folder
from models import (
    Author,
    AuthorLookup,
    AuthorPayload,
    BackfillSpan,
    DatabaseMark,
    EarlierMeasurement,
    Listing,
    Payload,
    Run,
    Spend,
    Tag,
    Tombstone,
    Tweet,
    TweetLink,
    TweetMention,
    TweetTag,
    Version,
    Watch,
)
from queries.counters import live_token

COUNTED = (Tweet, TweetTag, Author, Payload, Run, Spend, Tombstone)
STAMP = "%Y%m%dT%H%M%S%fZ"
SCHEDULED, BEFORE_DELETION = "-scheduled", ""
"""What the names of the two kinds of backups end with."""
KEPT_BEFORE_DELETION = 3
MARGIN = 64 * 1024 * 1024
ABANDONED_S = 86_400


class BackupRefused(Exception):
    """A backup can't be made or restored; the text says why, and the database is unchanged."""

    kind = "backup"


class InvalidBackup(BackupRefused):
    """A file is no backup that could be restored."""


class ScheduledBackup(NamedTuple):
    """A scheduled backup: the name that `database restore` takes, the time (UTC) of its data, and its size."""

    name: str
    when: datetime
    bytes: int


def backup(database: Database, target: Path, *, checked: bool = False) -> None:
    """Copy the database to a new file while it is used, with its SHA-256 beside it; raises BackupRefused where either exists.

    Only their owner may read them. With `checked` they get their names only once the copy was read through and has as many rows
    as what was copied.
    """
    for file in (target, sums.beside(target)):
        if file.exists():
            raise BackupRefused(f"{file.name} exists already")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        _remove(partial)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # SQLite keeps its mode
        counted = _copy(database, partial, count=checked)
        if checked:
            check_backup(partial)
            _check_counts(partial, counted)
        sums.name_both(partial, target)
        sync_folder(target.parent)
    except FileExistsError as error:
        raise BackupRefused(f"{Path(error.filename2 or target).name} exists already") from error
    except (OSError, sqlite.Error) as error:
        raise BackupRefused(f"{target.name} can't be written: {reason_of(error)}") from error
    finally:
        with suppress(OSError):
            _remove(partial)


def make_scheduled_backup(database: Database, *, kept: int) -> str:
    """Make a backup, remove all but the `kept` newest, and return its name; raises BackupRefused.

    Older ones are removed only once the new one was checked. The new one is never removed, whatever the clock says.
    """
    try:
        _make_folder(database)
        remove_unfinished(database)
        _refuse_without_room(database)
        name = _make_in_folder(database, SCHEDULED, checked=True)
        _remove_older(database, SCHEDULED, than=name, kept=kept)
    except OSError as error:
        raise BackupRefused(f"the folder backups can't be used: {reason_of(error)}") from error
    return name


def drop(database: Database) -> str:
    """Back up the database, delete all tweets, and return the backup's name; raises CollectionRunning, BackupRefused.

    One transaction keeps every other writer waiting from the backup to the end, so that the backup has all that is deleted.
    """
    with database.writing() as session:
        refuse_while_collecting(session)
        _make_folder(database)
        name = _make_in_folder(database, BEFORE_DELETION)
        newest = session.scalar(select(func.max(Tweet.id))) or 0
        session.execute(update(Watch).where(Watch.after_tweet < newest).values(after_tweet=newest))
        derived.clear(session)
        of_tweets = (TweetTag, TweetLink, TweetMention, EarlierMeasurement, Version, Payload, Tweet)
        for table in (*of_tweets, AuthorPayload, AuthorLookup, Author, Listing, BackfillSpan):
            session.execute(delete(table))
        session.execute(delete(DatabaseMark).where(DatabaseMark.name == MARK))
        session.execute(update(Tag).values(from_id=None, since_id=None))
        erasure.record_deletion(session)
        counters.bump_generation(session)
    _remove_older(database, BEFORE_DELETION, than=name, kept=KEPT_BEFORE_DELETION)
    erasure.erase(database)
    return name


def newest(database: Database) -> ScheduledBackup | None:
    """The newest scheduled backup. One from the future, which a wrong clock made, counts as the oldest."""
    return next(reversed(_backups(database, SCHEDULED)), None)


def backup_folder(database: Database) -> Path:
    """The folder of the backups that the schedule and `DELETE /database` make."""
    return database.folder / "backups"


def unfinished_files(database: Database) -> list[Path]:
    """Files of backups that were interrupted, and sums of which the backup was removed, more than a day ago."""
    copy = re.escape(database.name) + r"-\d{8}T\d{12}Z(-scheduled)?\.db"
    partial = re.compile(rf"\.{copy}\.\d+\.partial(-\w+)?", re.ASCII)
    alone = re.compile(copy + re.escape(sums.ENDING), re.ASCII)
    found = []
    for file in backup_folder(database).glob("*"):
        left = partial.fullmatch(file.name) or (alone.fullmatch(file.name) and not file.with_suffix("").exists())
        with suppress(FileNotFoundError):
            if left and time.time() - file.stat().st_mtime > ABANDONED_S:
                found.append(file)
    return found


def remove_unfinished(database: Database) -> None:
    """Remove the files of interrupted backups."""
    for file in unfinished_files(database):
        file.unlink(missing_ok=True)


def check_backup(source: Path) -> None:
    """Raise InvalidBackup for a file that is not a sound backup of this program's database."""
    if source.exists() and not source.is_file():
        raise InvalidBackup(f"{source.name or source} is no regular file")
    try:
        with closing(open_read_only(source)) as copy:
            healthy = copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            names = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            ours = {"alembic_version", "tweets"} <= names
            revisions = [name for (name,) in copy.execute("SELECT version_num FROM alembic_version")] if ours else []
    except sqlite.Error as error:
        raise InvalidBackup(f"{source.name} can't be read as a database: {error}") from error
    if not healthy:
        raise InvalidBackup(f"{source.name} is damaged")
    if len(revisions) != 1:
        raise InvalidBackup(f"{source.name} is no copy of this program's database")
    if predates(revisions[0]):
        raise InvalidBackup(f"{source.name} has the old schema {revisions[0]}: {CARRY_OVER}")
    if revisions[0] not in known_revisions():
        raise InvalidBackup(f"{source.name} {NEWER}")


def refuse_while_collecting(session: Session) -> None:
    """Raise CollectionRunning while a collection holds its lease."""
    if live_token(session) is not None:
        raise CollectionRunning(runs.running(session))


def reason_of(error: OSError | sqlite.Error) -> str:
    """Why a file can't be written or read, without its path."""
    return os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)


def _copy(database: Database, partial: Path, *, count: bool) -> list[int]:
    """Copy one state of the database, and return how many rows it has if `count`."""
    return database.copy_to_file(partial, tables.copy_rows, lambda scalar: _counts(scalar) if count else [])


def _check_counts(partial: Path, counted: list[int]) -> None:
    with closing(open_read_only(partial)) as copy:
        if _counts(lambda sql: int(copy.execute(sql).fetchone()[0])) != counted:
            raise BackupRefused(f"{partial.name} has other rows than the database")


def _counts(scalar: Scalar) -> list[int]:
    return [scalar(str(select(func.count()).select_from(table))) for table in COUNTED]


def _remove(partial: Path) -> None:
    remove_with_side_files(partial)
    sums.draft(partial).unlink(missing_ok=True)


def _make_folder(database: Database) -> None:
    """Create the folder of backups where it is missing; only its owner may read it."""
    try:
        for folder in (database.folder, backup_folder(database)):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BackupRefused(f"the folder of backups can't be made: {reason_of(error)}") from error


def _make_in_folder(database: Database, kind: str, *, checked: bool = False) -> str:
    """Make a backup whose name has the present time, and return the name."""
    target = backup_folder(database) / f"{database.name}-{datetime.now(UTC).strftime(STAMP)}{kind}.db"
    backup(database, target, checked=checked)
    return target.name


def _backups(database: Database, kind: str) -> list[ScheduledBackup]:
    """The backups of a kind in the folder, oldest first."""
    name = re.compile(re.escape(database.name) + rf"-(\d{{8}}T\d{{12}}Z){kind}\.db", re.ASCII)
    found, now = [], datetime.now(UTC)
    for file in backup_folder(database).glob("*.db"):
        with suppress(ValueError, FileNotFoundError):  # no time, or removed meanwhile
            if match := name.fullmatch(file.name):
                when = datetime.strptime(match[1], STAMP).replace(tzinfo=UTC)
                found.append(ScheduledBackup(file.name, when, file.stat().st_size))
    return sorted(found, key=lambda copy: (copy.when <= now, copy.when))


def _remove_older(database: Database, kind: str, *, than: str, kept: int) -> None:
    """Remove all but the `kept` newest backups of a kind, of which `than` is one."""
    others = [copy.name for copy in _backups(database, kind) if copy.name != than]
    for name in others[: max(0, len(others) + 1 - kept)]:
        sums.remove_with_sum(backup_folder(database) / name)


def _refuse_without_room(database: Database) -> None:
    """Raise BackupRefused where a backup would leave the service less than MARGIN to write."""
    needed = database.size + MARGIN
    free = shutil.disk_usage(backup_folder(database)).free
    if free < needed:
        room = f"{needed // 2**20} MiB are needed, {free // 2**20} are free"
        raise BackupRefused(f"the disk has no room for another copy: {room}")
