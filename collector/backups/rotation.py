"""Scheduled backups: each is checked before it gets its name, and the newest are kept."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from alchemy import Database
from collector.backups import sums
from collector.backups.backups import BackupRefused, backup
from collector.backups.files import backup_folder, make_backup_folder

STAMP = "%Y%m%dT%H%M%S%fZ"
MARGIN = 64 * 1024 * 1024
ABANDONED_S = 86_400


class ScheduledBackup(NamedTuple):
    """A scheduled backup: the name that `database restore` takes, the time (UTC) of its data, and its size."""

    name: str
    when: datetime
    bytes: int


def make_scheduled_backup(database: Database, *, kept: int) -> str:
    """Make a backup, remove all but the `kept` newest, and return its name; raises BackupRefused.

    Older ones are removed only once the new one was checked. The new one is never removed, whatever the clock says.
    """
    folder = backup_folder(database)
    try:
        make_backup_folder(database)
        remove_unfinished(database)
        _refuse_without_room(database, folder)
        target = folder / f"{database.name}-{datetime.now(UTC).strftime(STAMP)}-scheduled.db"
        backup(database, target, checked=True)
        others = [copy for copy in _scheduled_backups(database) if copy.name != target.name]
        for old in others[: max(0, len(others) + 1 - kept)]:
            sums.remove_with_sum(folder / old.name)
    except OSError as error:
        raise BackupRefused(f"the folder {folder.name} can't be used: {os.strerror(error.errno or 0)}") from error
    return target.name


def newest(database: Database) -> ScheduledBackup | None:
    """The newest scheduled backup. One from the future, which a wrong clock made, counts as the oldest."""
    return next(reversed(_scheduled_backups(database)), None)


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


def _scheduled_backups(database: Database) -> list[ScheduledBackup]:
    """The scheduled backups, oldest first."""
    now = datetime.now(UTC)
    return sorted(_candidates(database), key=lambda copy: (copy.when <= now, copy.when))


def _candidates(database: Database) -> Iterator[ScheduledBackup]:
    name = re.compile(re.escape(database.name) + r"-(\d{8}T\d{12}Z)-scheduled\.db", re.ASCII)
    for file in backup_folder(database).glob("*.db"):
        match = name.fullmatch(file.name)
        with suppress(ValueError, FileNotFoundError):  # no time, or removed meanwhile
            if match:
                when = datetime.strptime(match[1], STAMP).replace(tzinfo=UTC)
                yield ScheduledBackup(file.name, when, file.stat().st_size)


def _refuse_without_room(database: Database, folder: Path) -> None:
    """Raise BackupRefused where a backup would leave the service less than MARGIN to write."""
    needed = database.size + MARGIN
    free = shutil.disk_usage(folder if folder.is_dir() else database.folder).free
    if free < needed:
        room = f"{needed // 2**20} MiB are needed, {free // 2**20} are free"
        raise BackupRefused(f"the disk has no room for another copy: {room}")
