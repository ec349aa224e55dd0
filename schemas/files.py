"""Files of archives: output files that appear only when they are complete, and gzip files, read up to the first fault.

Python's own reader of gzip discards what it has decompressed when it meets a fault, such as a wrong checksum or data after the
end.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from database.sqlite_files import sync_folder

GZIP_MAGIC = b"\x1f\x8b"
GZIP = 16 + zlib.MAX_WBITS
MOST_OF_A_BYTE = 500
CHUNK = 4 * 1024
PART = 64 * 1024
NO_FURTHER = "the file can't be read any further"

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


class GzipReader(io.RawIOBase):
    """The content of a gzip file of one or several members (RFC 1952). `fault` says why it ended early.

    JSON lines shrink to a twentieth, zeros to a thousandth: after `least` bytes, 500 times the file's size is the limit.
    """

    def __init__(self, packed: BinaryIO, *, least: int) -> None:
        self._packed, self._least, self._given = packed, least, 0
        self._parts, self._left = self._decompress(), b""
        self.fault: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, at least partly; 0 means the end or a fault."""
        part = self._left or self._next()
        size = min(len(part), len(buffer))
        buffer[:size], self._left = part[:size], part[size:]
        return size

    def _next(self) -> bytes:
        part = next(self._parts, b"")
        self._given += len(part)
        if self._given > self._least and self._given > MOST_OF_A_BYTE * self._packed.tell():
            self.fault, self._parts = f"the file unpacks to more than {MOST_OF_A_BYTE} times its size", iter(())
            return b""
        return part

    def _decompress(self) -> Iterator[bytes]:
        """Yield the decompressed parts, none of them empty."""
        member, begun, given = zlib.decompressobj(GZIP), False, b""
        try:
            while given or (given := self._packed.read(CHUNK)):
                before = member.copy()
                try:
                    part = member.decompress(given, PART)
                except zlib.error:
                    yield from _parts_before_fault(before, given)
                    raise
                begun, given = True, member.unconsumed_tail
                if part:
                    yield part
                if member.eof:
                    given = self._after(member.unused_data)
                    member, begun = zlib.decompressobj(GZIP), False
        except (OSError, zlib.error):
            begun = True
        self.fault = NO_FURTHER if begun else None

    def _after(self, rest: bytes) -> bytes:
        """Return the beginning of the next member; zeros may precede it, or end the file."""
        while not (rest := rest.lstrip(b"\0")):
            if not (rest := self._packed.read(CHUNK)):
                break
        return rest


def _parts_before_fault(member: zlib._Decompress, given: bytes) -> Iterator[bytes]:
    """Yield what can be decompressed before a fault, byte by byte."""
    for byte in given:
        try:
            if part := member.decompress(bytes([byte])):
                yield part
        except zlib.error:
            return
