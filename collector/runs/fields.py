"""The fields that each post should have: X has dropped unknown ones silently before, and charged for the posts."""

from __future__ import annotations

import threading

from collector.values import ResultPage
from collector.x.failures import FIELDS, FailureScope, XFailure
from collector.x.parsing import REQUIRED_FIELDS

ENOUGH_POSTS = 5


class GivenFields:
    """The required fields that the posts of a collection had so far. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.posts = 0
        self._given: frozenset[str] = frozenset()

    def add(self, page: ResultPage) -> tuple[str, ...]:
        """Add a page, and return the fields that none of at least ENOUGH_POSTS posts had."""
        with self._lock:
            self.posts += len(page.posts)
            self._given |= page.given
            return self.missing() if self.posts >= ENOUGH_POSTS else ()

    def missing(self) -> tuple[str, ...]:
        """Return the fields that no post had, however few there were; none before the first post."""
        return tuple(name for name in REQUIRED_FIELDS if name not in self._given) if self.posts else ()


def fields_missing(names: tuple[str, ...]) -> XFailure:
    """Return the failure that ends a collection whose posts lack these fields."""
    message = f"X no longer gives {', '.join(names)} of posts: nothing more is bought in this collection"
    return XFailure(FIELDS, FailureScope.RUN, message, sold=True)
