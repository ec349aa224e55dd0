"""Streams: long answers in pieces, so many at once, and none goes on for a client that has gone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator

from queries.figures import Stamp

MOST_STREAMS = 8
MOST_REMEMBERED = 1000


class TooManyStreams(Exception):
    """So many long answers are being sent that no further one may begin."""


class Streams:
    """The streams of a worker. The tags of those that showed one single state are remembered, with its stamp."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._whole: OrderedDict[str, Stamp] = OrderedDict()

    def begin(self, pieces: Iterator[bytes]) -> StreamRecord:
        """Return a stream of these pieces, which must be closed; raises TooManyStreams."""
        if not self._free.acquire(blocking=False):
            raise TooManyStreams("too many long answers are being sent: try again, or ask for pages with limit")
        return StreamRecord(pieces, self._free)

    def remember(self, tag: str, stamp: Stamp) -> None:
        """Note that all that was sent under this tag is of one state."""
        with self._lock:
            self._whole[tag] = stamp
            while len(self._whole) > MOST_REMEMBERED:
                self._whole.popitem(last=False)

    def showed(self, tag: str, stamp: Stamp) -> bool:
        """Tell whether what was sent under this tag is all of this state."""
        with self._lock:
            return self._whole.get(tag) == stamp


class StreamRecord:
    """Pieces of an answer. Closing it, early or at the end, stops the work and makes room for another."""

    def __init__(self, pieces: Iterator[bytes], free: threading.BoundedSemaphore) -> None:
        self._pieces, self._free, self._open = pieces, free, True

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        if self._open:
            self._open = False
            self._free.release()
            if isinstance(self._pieces, Generator):
                self._pieces.close()
