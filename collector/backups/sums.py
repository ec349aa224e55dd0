"""The SHA-256 of a backup, in a file beside it in the format of `sha256sum`: SQLite's own check misses corrupted text."""

from __future__ import annotations

import hashlib
import os
import re
from io import BufferedReader
from pathlib import Path
from stat import S_ISREG

ENDING = ".sha256"
DRAFT = "-sha256"
LONGEST = 8192
LINE = re.compile(rb"\\?([0-9a-fA-F]{64}) [ *][^\r\n]{1,4096}\r?\n?")
ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})
"""What sha256sum writes in a name; it then puts a backslash before the whole line."""


class SumRefused(Exception):
    """A backup doesn't match its sum, or either can't be read; the text says which, and why."""


def beside(copy: Path) -> Path:
    """The file of a backup's sum."""
    return copy.with_name(f"{copy.name}{ENDING}")


def draft(partial: Path) -> Path:
    """The file to which a sum is written before it and the backup get their names."""
    return partial.with_name(f"{partial.name}{DRAFT}")


def name_both(partial: Path, copy: Path) -> None:
    """Write the sum of a backup and give both their names; raises OSError, FileExistsError where either exists.

    The sum gets its name first, so that a process that is killed leaves no backup without one.
    """
    _write(draft(partial), f"{_sum(partial)}  ", copy.name)
    os.link(draft(partial), beside(copy))
    try:
        os.link(partial, copy)
    except OSError:
        beside(copy).unlink(missing_ok=True)
        raise


def remove_with_sum(copy: Path) -> None:
    copy.unlink(missing_ok=True)
    beside(copy).unlink(missing_ok=True)


def check(copy: Path) -> bool:
    """Compare a backup with its sum, and return whether there is one; raises SumRefused."""
    kept = beside(copy)
    if not os.path.lexists(kept):
        return False
    try:
        with _open_file(kept) as file:
            line = LINE.fullmatch(file.read(LONGEST))
        if not line:
            raise SumRefused(f"{kept.name} holds no SHA-256 as sha256sum writes it")
        if _sum(copy) != line[1].decode().lower():
            raise SumRefused(f"{copy.name} is damaged: its SHA-256 is not the one in {kept.name}")
    except OSError as error:
        raise SumRefused(f"{Path(error.filename or kept).name} can't be read: {os.strerror(error.errno or 0)}") from error
    return True


def _sum(file: Path) -> str:
    with _open_file(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _open_file(file: Path) -> BufferedReader:
    """Open a regular file to read it; raises SumRefused for others, such as a pipe on which a read might wait forever."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SumRefused(f"{file.name} is no file")
    return os.fdopen(descriptor, "rb")


def _write(file: Path, before: str, name: str) -> None:
    """Write a line to a new file that only its owner may read, and sync it to the disk."""
    escaped = name.translate(ESCAPES)
    mark = "" if escaped == name else "\\"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(os.fsencode(f"{mark}{before}{escaped}\n"))
        opened.flush()
        os.fsync(opened.fileno())
