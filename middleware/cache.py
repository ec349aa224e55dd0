"""Encoded answers by request, within a bound of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from middleware.answer import CachedAnswer

MB = 1024 * 1024
PART = 4  # an answer may take up to this part of the memory
ENTRY = 2000  # bytes: about what an entry takes besides its body and its request


class Cache:
    """Keeps the answers that were asked for last. Safe to use from several threads."""

    def __init__(self, megabytes: int) -> None:
        self._bound, self._size = megabytes * MB, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[CachedAnswer, int]] = OrderedDict()

    def get(self, request: Hashable) -> CachedAnswer | None:
        """Return the answer that is kept for a request."""
        with self._lock:
            found = self._kept.get(request)
            if found is None:
                return None
            self._kept.move_to_end(request)
            return found[0]

    def keep(self, request: Hashable, answer: CachedAnswer) -> None:
        """Keep an answer in the place of an earlier one, and let go of those that were not asked for longest."""
        size = len(answer.body) + len(repr(request)) + ENTRY
        if size * PART > self._bound:
            return
        with self._lock:
            self._size += size - self._kept.pop(request, (answer, 0))[1]
            self._kept[request] = answer, size
            while self._size > self._bound:
                self._size -= self._kept.popitem(last=False)[1][1]
