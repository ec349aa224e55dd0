"""A cached response, and the condition under which it may be sent again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple

from alchemy import DatabaseUnavailable

REPEAT = "monitor.repeat"  # key of the WSGI environment: a view puts a Repeat there if its response may be cached
NOT_MODIFIED = "304 NOT MODIFIED"
OF_BODY = ("Content-Type", "Content-Length", "Content-Encoding")

Headers = list[tuple[str, str]]


class Repeat(NamedTuple):
    """A response may be sent again while `current()` equals `state`."""

    state: Hashable
    current: Callable[[], Hashable]

    def holds(self) -> bool:
        """Return whether it may be sent again; False if the database can't be asked."""
        try:
            return self.current() == self.state
        except DatabaseUnavailable:
            return False


ALWAYS = Repeat(None, lambda: None)


class CachedAnswer(NamedTuple):
    """A response with status 200: its route, headers and body, and its ETag if it has one."""

    route: str | None
    repeat: Repeat
    headers: Headers
    body: bytes
    tag: str | None

    def to(self, wanted: str | None) -> tuple[str, Headers, bytes]:
        """Return status, headers and body: 304 if `wanted`, the request's If-None-Match, is its ETag."""
        if wanted is not None and self.tag is not None and wanted.removeprefix("W/") == self.tag.removeprefix("W/"):
            return NOT_MODIFIED, [pair for pair in self.headers if pair[0] not in OF_BODY], b""
        return "200 OK", self.headers, self.body
