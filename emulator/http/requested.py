"""What was asked of the emulator: a bounded record, without credentials."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

_KEPT = 10_000


class Request(NamedTuple):
    """A request that came. at: by the emulator's clock, UTC; status: what was answered, also if it never arrived."""

    at: datetime
    method: str
    path: str
    params: Mapping[str, str]
    status: int


class Requests:
    """The newest requests. Appending to a deque is atomic, so no lock is needed."""

    def __init__(self) -> None:
        self._kept: deque[Request] = deque(maxlen=_KEPT)

    def add(self, request: Request) -> None:
        """Keep a request; the oldest goes when there are too many."""
        self._kept.append(request)

    def all(self) -> list[Request]:
        """Return the kept requests, oldest first."""
        return list(self._kept)

    def clear(self) -> None:
        """Forget them."""
        self._kept.clear()
