"""Encoded answers, kept for the state of the database that they are of, within a bound of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

from queries.figures import Stamp

MB = 1024 * 1024
PART = 4  # an answer may take up to this part of the memory
ENTRY = 1000  # bytes: about what an entry takes besides its body and its request

Headers = tuple[tuple[str, str], ...]


class State(NamedTuple):
    """The state that an answer is of: the database's stamp, and what else the answer depends on."""

    stamp: Stamp
    more: Hashable = None


class Answer(NamedTuple):
    """An encoded body and the headers that belong to it."""

    body: bytes
    headers: Headers


class Cache:
    """Answers by request, all of one stamp: what is kept for another one forgets them."""

    def __init__(self, megabytes: int) -> None:
        self._bound = megabytes * MB
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[State, Answer, int]] = OrderedDict()
        self._stamp: Stamp | None = None
        self._size = 0

    def get(self, request: Hashable, state: State) -> Answer | None:
        """Return the answer to a request in this state, if it is kept."""
        with self._lock:
            found = self._kept.get(request)
            if found is None or found[0] != state:
                return None
            self._kept.move_to_end(request)
            return found[1]

    def keep(self, request: Hashable, state: State, answer: Answer) -> None:
        """Keep an answer, and let go of those that were not asked for longest where memory is short."""
        size = len(answer.body) + len(repr(request)) + ENTRY
        if size * PART > self._bound:
            return
        with self._lock:
            if state.stamp != self._stamp:
                self._kept.clear()
                self._stamp, self._size = state.stamp, 0
            self._forget(request)
            self._kept[request] = state, answer, size
            self._size += size
            while self._size > self._bound:
                self._forget(next(iter(self._kept)))

    def _forget(self, request: Hashable) -> None:
        if request in self._kept:
            self._size -= self._kept.pop(request)[2]
