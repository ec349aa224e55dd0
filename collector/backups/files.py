"""Files beside a database and of its backups: where they are, and who may read them."""

from __future__ import annotations

import os
from pathlib import Path

from alchemy import Database


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
