"""Streams: long responses in pieces. Their number is limited, and one stops when its client disconnects."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator

from queries.counters import Stamp

MOST_STREAMS = 8
MOST_REMEMBERED = 1000


class TooManyStreams(Exception):
    """The limit of simultaneous streams is reached."""


class Streams:
    """The streams of a worker. It remembers the tags of those that showed a single state, with its stamp."""

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
        """Remember that a stream with this tag showed this state only."""
        with self._lock:
            self._whole[tag] = stamp
            while len(self._whole) > MOST_REMEMBERED:
                self._whole.popitem(last=False)

    def showed(self, tag: str, stamp: Stamp) -> bool:
        """Return whether a stream with this tag showed this state only."""
        with self._lock:
            return self._whole.get(tag) == stamp


class StreamRecord:
    """The pieces of a response. Closing it, early or at the end, stops the work and frees its slot."""

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
