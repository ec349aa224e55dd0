"""Files that keep the key of pseudonyms."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.pseudonyms import KEY_BYTES, new_key


class InvalidKey(Exception):
    """A file that contains no key and cannot be created; the text says why."""


def load_or_make_key(file: Path) -> bytes:
    """Return the key in a file, created with mode 600 if it does not exist. Raises InvalidKey."""
    try:
        if not file.exists():
            _create(file)
        if not file.is_file():
            raise InvalidKey(f"{file}: is no regular file")
        key = bytes.fromhex(file.read_text("ascii"))
    except OSError as error:
        raise InvalidKey(f"{file}: {error.strerror}") from error
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidKey(f"{file}: expected a key of {2 * KEY_BYTES} hexadecimal digits")
    return key


def _create(file: Path) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
        new.write(f"{new_key().hex()}\n")
        new.flush()
        os.fsync(new.fileno())
