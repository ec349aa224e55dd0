"""What was taken out of the world, or had its place taken from it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NamedTuple

REASONS = ("deleted", "bounced", "protected", "suspended", "deactivated", "scrub_geo")


class Removal(NamedTuple):
    """Why and when, in milliseconds since 1970. scrub_geo takes the place alone; any other reason the post."""

    reason: str
    at_ms: int


class RemovedPosts:
    """The removed ids; any version's id stands for the whole post. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, Removal] = {}
        self._hidden: frozenset[int] = frozenset()
        self._scrubbed: frozenset[int] = frozenset()

    def add(self, ids: Iterable[int], removal: Removal) -> None:
        """Remove ids, those no post has as well; a later reason stands for an earlier one. Raises ValueError."""
        _known(removal.reason)
        with self._lock:
            self._set({**self._known, **dict.fromkeys(ids, removal)})

    def replace(self, ids: Iterable[int], removal: Removal) -> None:
        """Remove ids and bring everything else back. Raises ValueError."""
        _known(removal.reason)
        with self._lock:
            self._set(dict.fromkeys(ids, removal))

    def clear(self) -> None:
        """Bring everything back."""
        with self._lock:
            self._set({})

    def all(self) -> dict[int, Removal]:
        """Return the removed ids as they were named, in that order."""
        return dict(self._known)

    def hide(self, versions: Iterable[int]) -> bool:
        """Return whether the post with these versions is gone."""
        return bool(self._hidden) and not self._hidden.isdisjoint(versions)

    def scrub(self, versions: Iterable[int]) -> bool:
        """Return whether the post with these versions lost its place."""
        return bool(self._scrubbed) and not self._scrubbed.isdisjoint(versions)

    def _set(self, known: dict[int, Removal]) -> None:
        self._known = known
        self._scrubbed = frozenset(one for one, removal in known.items() if removal.reason == "scrub_geo")
        self._hidden = frozenset(known.keys() - self._scrubbed)


def _known(reason: str) -> None:
    if reason not in REASONS:
        raise ValueError(f"unknown reason {reason!r}; known are {', '.join(REASONS)}")
