"""Backups of the database: made while it is used, and checked before they are trusted."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alchemy import Database
from collector.backups import sums, tables
from collector.backups.files import make_private_file
from collector.runs import runs
from collector.runs.collector import CollectionRunning
from database.backend import Scalar
from database.migrating import CARRY_OVER, NEWER, known_revisions, predates
from database.sqlite_files import open_read_only, remove_with_side_files, sync_folder
from models import Author, Payload, Run, Spend, Tombstone, Tweet, TweetTag
from queries.counters import live_token

COUNTED = (Tweet, TweetTag, Author, Payload, Run, Spend, Tombstone)


class BackupRefused(Exception):
    """A backup can't be made or restored; the text says why, and the database is unchanged."""

    kind = "backup"


class InvalidBackup(BackupRefused):
    """A file is no backup that could be restored."""


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
        make_private_file(partial)
        counted = _copy(database, partial, count=checked)
        if checked:
            check_backup(partial)
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
