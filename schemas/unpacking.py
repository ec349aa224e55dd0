"""Files packed with gzip, read as far as they can be: what stands before a fault is not lost.

Python's own reader throws away what it has unpacked when it meets a fault, which a wrong sum or anything behind the end is too.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO

GZIP_MAGIC = b"\x1f\x8b"
GZIP = 16 + zlib.MAX_WBITS
MOST_OF_A_BYTE = 500
CHUNK = 4 * 1024
PART = 64 * 1024
NO_FURTHER = "the file can't be read any further"


class GzipReader(io.RawIOBase):
    """What is in a packed file, of one member or several (RFC 1952), as far as it is one of tweets.

    Of JSON lines a twentieth is left, of zeros a thousandth: after `least` bytes none may be more than 500 times as long as its
    file. `fault` says why it ends before its end.
    """

    def __init__(self, packed: BinaryIO, *, least: int) -> None:
        self._packed, self._least, self._given = packed, least, 0
        self._parts, self._left = self._decompress(), b""
        self.fault: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, at least in part; 0 is the end, or a fault."""
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
        """Give what is unpacked, in parts that are not empty."""
        member, begun, given = zlib.decompressobj(GZIP), False, b""
        try:
            while given or (given := self._packed.read(CHUNK)):
                before = member.copy()
                try:
                    part = member.decompress(given, PART)
                except zlib.error:
                    yield from _before_the_fault(before, given)
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
        """Return how the next member begins; zeros may stand between them and behind them."""
        while not (rest := rest.lstrip(b"\0")):
            if not (rest := self._packed.read(CHUNK)):
                break
        return rest


def _before_the_fault(member: zlib._Decompress, given: bytes) -> Iterator[bytes]:
    """Give what can be unpacked before a fault, byte by byte."""
    for byte in given:
        try:
            if part := member.decompress(bytes([byte])):
                yield part
        except zlib.error:
            return
