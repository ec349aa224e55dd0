"""Destinations: where messages go. Operators name them in NOTIFY_URLS; users of the API and pages choose among the names."""

from __future__ import annotations

from collections.abc import Iterable

from settings import Destination, SettingError
from watches.delivery import deliver, is_usable, scheme_of
from watches.messages import WatchMessage


def check_destinations(configured: Iterable[Destination]) -> None:
    """Raise SettingError, which names the first destination whose URL can't be used; connects to nothing."""
    for one in configured:
        if not is_usable(one.url):
            raise SettingError(
                f"NOTIFY_URLS: the URL of {one.name} is not accepted, expected one of Apprise's for {scheme_of(one.url)}, "
                "with one target unless it is mail"
            )


class Destinations:
    """The destinations by name."""

    def __init__(self, configured: Iterable[Destination]) -> None:
        self._urls = {one.name: one.url for one in configured}

    @property
    def names(self) -> tuple[str, ...]:
        """The names, sorted."""
        return tuple(sorted(self._urls))

    def send(self, name: str, message: WatchMessage, message_id: int) -> str | None:
        """Send a message to a destination, and return why that failed, or None."""
        url = self._urls.get(name)
        return deliver(url, message, message_id) if url else "it is not in NOTIFY_URLS"
