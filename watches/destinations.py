"""Destinations: where messages go. Operators name them in NOTIFY_URLS; users of the API and pages choose among the names."""

from __future__ import annotations

from collections.abc import Iterable

from settings import Destination


class Destinations:
    """The destinations by name."""

    def __init__(self, configured: Iterable[Destination]) -> None:
        self._urls = {one.name: one.url for one in configured}

    @property
    def names(self) -> tuple[str, ...]:
        """The names, sorted."""
        return tuple(sorted(self._urls))
