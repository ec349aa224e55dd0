"""The SHA-256 of a copy, beside it as `sha256sum -c` reads it: SQLite's own check doesn't notice a letter that has rotted."""

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
    """A copy is not the one of which the sum was made, or either can't be read; the text says which, and why."""


def beside(copy: Path) -> Path:
    """Return where the sum of a copy is kept."""
    return copy.with_name(f"{copy.name}{ENDING}")


def draft(partial: Path) -> Path:
    """Return where the sum of a copy is written before either has its name."""
    return partial.with_name(f"{partial.name}{DRAFT}")


def name_both(partial: Path, copy: Path) -> None:
    """Write the sum of a copy and give both their names; raises OSError, FileExistsError where there is either.

    The sum gets its name first, so that a process that is killed leaves no copy without one.
    """
    _write(draft(partial), f"{_sum(partial)}  ", copy.name)
    os.link(draft(partial), beside(copy))
    try:
        os.link(partial, copy)
    except OSError:
        beside(copy).unlink(missing_ok=True)
        raise


def forget(copy: Path) -> None:
    """Remove a copy and its sum."""
    copy.unlink(missing_ok=True)
    beside(copy).unlink(missing_ok=True)


def check(copy: Path) -> bool:
    """Compare a copy with its sum, and return whether there is one; raises SumRefused."""
    kept = beside(copy)
    if not os.path.lexists(kept):
        return False
    try:
        with _opened(kept) as file:
            line = LINE.fullmatch(file.read(LONGEST))
        if not line:
            raise SumRefused(f"{kept.name} holds no SHA-256 as sha256sum writes it")
        if _sum(copy) != line[1].decode().lower():
            raise SumRefused(f"{copy.name} is damaged: its SHA-256 is not the one in {kept.name}")
    except OSError as error:
        raise SumRefused(f"{Path(error.filename or kept).name} can't be read: {os.strerror(error.errno or 0)}") from error
    return True


def _sum(file: Path) -> str:
    with _opened(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _opened(file: Path) -> BufferedReader:
    """Open a file to read it; raises SumRefused for a folder, or a pipe, which nobody may ever write to."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SumRefused(f"{file.name} is no file")
    return os.fdopen(descriptor, "rb")


def _write(file: Path, before: str, name: str) -> None:
    """Write a line to a new file that only its owner may read, and have it on the disk."""
    escaped = name.translate(ESCAPES)
    mark = "" if escaped == name else "\\"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(os.fsencode(f"{mark}{before}{escaped}\n"))
        opened.flush()
        os.fsync(opened.fileno())
