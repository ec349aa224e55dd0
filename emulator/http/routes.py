"""Which endpoint a call is for, who may ask it, and how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emulator.faults.faults import BLEMISHES, FAILURES, PlannedFault
from emulator.http import problems
from emulator.http.answer import Call, EmulatorAnswer, Problem


class RoutedCall(NamedTuple):
    """A call that is to be answered. fault spoils the answer, None if nothing does; item: what the end of the
    path names, such as a job's id, else empty."""

    call: Call
    now_ms: int
    fault: PlannedFault | None
    item: str


class Quota(NamedTuple):
    """Requests in 15 minutes with a Bearer token and with a user's context, None if X refuses that.

    pace: so many seconds lie between two requests, 0 for none.
    """

    bearer: int
    user: int | None = None
    pace: int = 0


class Route(NamedTuple):
    """path ends in / where one more segment names an item. endpoint: its name in faults, of which kinds strike.

    quota: None where no credentials are asked for.
    """

    method: str
    path: str
    endpoint: str
    quota: Quota | None
    answer: Callable[[RoutedCall], EmulatorAnswer]
    kinds: tuple[str, ...] = FAILURES + BLEMISHES

    @property
    def name(self) -> str:
        """What its rate limit is counted by."""
        return f"{self.method} {self.path}"

    def item(self, path: str) -> str | None:
        """Return what a path names, empty if the route names nothing, None if the path is another one's."""
        if not self.path.endswith("/"):
            return "" if path == self.path else None
        item = path.removeprefix(self.path)
        return item if path.startswith(self.path) and item and "/" not in item else None


def route_of(routes: tuple[Route, ...], call: Call) -> tuple[Route, str]:
    """Return the route of a call and the item it names. Raises Problem 404 or 405."""
    fitting = [(route, item) for route in routes if (item := route.item(call.path)) is not None]
    if not fitting:
        raise Problem(404, problems.plain(404, "Not Found"))
    for route, item in fitting:
        if route.method == call.method:
            return route, item
    allowed = ", ".join(sorted(route.method for route, _ in fitting))
    raise Problem(405, problems.plain(405, "Method Not Allowed"), (("Allow", allowed),))
