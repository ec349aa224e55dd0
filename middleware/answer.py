"""An encoded answer, and for how long it is the right one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple

from alchemy import DatabaseUnavailable

REPEAT = "monitor.repeat"  # in the WSGI environment: a view's word that its answer may be given again
NOT_MODIFIED = "304 NOT MODIFIED"
OF_BODY = ("Content-Type", "Content-Length", "Content-Encoding")

Headers = list[tuple[str, str]]


class Repeat(NamedTuple):
    """An answer may be given again while `current()` is equal to `state`."""

    state: Hashable
    current: Callable[[], Hashable]

    def holds(self) -> bool:
        """Tell whether it still is; False where nobody can tell now."""
        try:
            return self.current() == self.state
        except DatabaseUnavailable:
            return False


ALWAYS = Repeat(None, lambda: None)


class CachedAnswer(NamedTuple):
    """A successful answer: which route gave it, its headers and its body; the ETag if it has one."""

    route: str | None
    repeat: Repeat
    headers: Headers
    body: bytes
    tag: str | None

    def to(self, wanted: str | None) -> tuple[str, Headers, bytes]:
        """Return status, headers and body; 304 where `wanted`, the request's If-None-Match, names the answer."""
        if wanted is not None and self.tag is not None and wanted.removeprefix("W/") == self.tag.removeprefix("W/"):
            return NOT_MODIFIED, [pair for pair in self.headers if pair[0] not in OF_BODY], b""
        return "200 OK", self.headers, self.body
