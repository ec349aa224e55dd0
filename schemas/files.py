"""Output files that appear only when they are complete."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from database.sqlite_files import sync_folder

Stream = IO[bytes] | gzip.GzipFile


@contextmanager
def open_output(path: Path) -> Iterator[Stream]:
    """Open a file to write, compressed if its name ends in .gz. It gets its name when it is complete and on disk.

    Only its owner may read it. Raises OSError; FileExistsError if there is a file with that name.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    if path.exists():
        raise FileExistsError(path)
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                    yield packed
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        os.link(partial, path)
        sync_folder(path.parent)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
