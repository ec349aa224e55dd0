"""Files of SQLite databases and of backups: where they are, who may read them, and that they are written to the disk."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pysqlite3.dbapi2 as sqlite

from alchemy import Database


def sqlite_files(file: Path) -> list[Path]:
    """A database's file and those that SQLite keeps beside it."""
    return [file, *(file.with_name(f"{file.name}-{kind}") for kind in ("wal", "shm", "journal"))]


def remove_sqlite_files(file: Path) -> None:
    for one in sqlite_files(file):
        one.unlink(missing_ok=True)


def beside(database: Database, name: str) -> Path:
    """A hidden file beside the database, for what is to replace it."""
    return database.folder / f".{database.label}.{name}"


def backup_folder(database: Database) -> Path:
    """The folder of the backups that the schedule and `DELETE /database` make."""
    return database.folder / "backups"


def make_backup_folder(database: Database) -> Path:
    """Create the folder of backups where it is missing, and return it; raises OSError."""
    make_folder(database.folder)
    make_folder(backup_folder(database))
    return backup_folder(database)


def make_folder(folder: Path) -> None:
    """Create a folder that only its owner may read, in one that exists; raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)


def make_private_file(file: Path) -> None:
    """Create an empty file that only its owner may read; SQLite keeps its mode, where it would create one by the umask."""
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def open_read_only(file: Path) -> sqlite.Connection:
    return sqlite.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)


def sync_file(file: Path) -> None:
    """Write a file's content to the disk."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def sync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk, such as the name of a file that was just linked."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
