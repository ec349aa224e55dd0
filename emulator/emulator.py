"""An emulator in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from threading import Event
from types import TracebackType
from typing import Any, Self

from emulator.api import Api
from emulator.controls import ROOT, Controls, Request
from emulator.endpoints.listing import ARCHIVE
from emulator.endpoints.search import found_page
from emulator.faults.oddities import Oddities
from emulator.faults.plan import PlannedFault
from emulator.http.messages import Call, EmulatorAnswer, Json
from emulator.http.server import EmulatorServer
from emulator.jobs import UploadJob
from emulator.ledger import Ledger
from emulator.query import parse
from emulator.state import EmulatorSettings, EmulatorState, Grant
from emulator.world import snowflake
from emulator.world.world import PostRange, Removal

_REQUESTS_KEPT = 10_000


class Emulator:
    """A pretend X API that serves between start() and stop(), or inside a with block.

    Its port, clock, ledger and faults outlive stop() and start().
    """

    def __init__(self, **settings: Any) -> None:
        """Take the settings of EmulatorSettings. Raises TypeError for an unknown one."""
        self.state = EmulatorState(EmulatorSettings(**settings))
        self.settings, self.clock = self.state.settings, self.state.clock
        self.date_skew = 0.0
        """Seconds by which the Date of the API's answers is ahead of the clock, behind it if negative."""
        self._api = Api(self.state)
        self._requests: deque[Request] = deque(maxlen=_REQUESTS_KEPT)
        self._controls = Controls(self._api, self._requests)
        self._server: EmulatorServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port; 0 before the first start() if a free one is to be taken."""
        return self.settings.port

    @property
    def url(self) -> str:
        """The base of every address, without a slash at its end."""
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        return f"http://{host}:{self.port}"

    @property
    def ledger(self) -> Ledger:
        """What was sold."""
        return self.state.ledger

    @property
    def requests(self) -> list[Request]:
        """The newest 10,000 requests to the API, oldest first; calls of controls aren't among them."""
        return list(self._requests)

    @property
    def latency(self) -> float:
        """Seconds before each answer of the API."""
        return self.settings.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self.settings.latency = seconds

    @property
    def jobs(self) -> list[UploadJob]:
        """The compliance jobs, oldest first, with the uploaded ids."""
        return self.state.jobs.all()

    @property
    def compliance_seconds(self) -> float:
        """How long a compliance job takes after its upload; a change concerns later uploads."""
        return self.settings.compliance_seconds

    @compliance_seconds.setter
    def compliance_seconds(self, seconds: float) -> None:
        self.settings.compliance_seconds = seconds

    def start(self) -> None:
        """Listen. Does nothing if it listens already. Raises OSError if the port is taken."""
        if self._server is None:
            self._server = EmulatorServer(self.settings.host, self.settings.port, self._answer, self.clock.now_ms)
            self.settings.port = self._server.port

    def stop(self) -> None:
        """Close every connection and end every thread. Does nothing if it is stopped."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def plan(
        self,
        kind: str,
        *,
        times: int | None = 1,
        tag: str | None = None,
        after_pages: int = 0,
        seconds: float | None = None,
        endpoint: str = "search",
    ) -> None:
        """Plan a fault; see PlannedFault for the arguments and faults/kinds.py for the kinds. Raises ValueError."""
        self._api.faults.plan(PlannedFault(kind, times, tag, after_pages, seconds, endpoint))

    @property
    def oddities(self) -> Oddities:
        """The oddities of X that strike requests, and how often each did."""
        return self._api.oddities

    @oddities.setter
    def oddities(self, oddities: Oddities) -> None:
        self._api.oddities = oddities

    def clear_faults(self) -> None:
        """Drop every planned fault."""
        self._api.faults.plan(replace=True)

    def reset_limits(self) -> None:
        """Begin every rate-limit window anew."""
        self._api.limits.reset()

    def remove(self, *post_ids: int, reason: str = "deleted") -> None:
        """Remove posts, each named by any version's id, from now on; scrub_geo removes only their places.

        Compliance jobs report ids without a post as well. Raises ValueError for an unknown reason.
        """
        self.state.removals.add(post_ids, Removal(reason, self.clock.now_ms()))

    def reinstate(self) -> None:
        """Bring back everything that was removed."""
        self.state.removals.clear()

    def drift(self, posts: int) -> None:
        """Make X's usage of today count so many posts more than were sold, fewer if negative; 0 ends it."""
        self.state.usage_drift = posts

    def charge_authors(self, charged: bool) -> None:
        """Include authors in the account's bill, or not."""
        self.settings.charge_authors = charged

    def move_balance(self, dollars: float) -> None:
        """Put so many dollars into the account; negative: take them out, as other apps do."""
        self.state.balance_moved += round(dollars * 1000)

    def grant(self, dollars: float, expires: datetime) -> None:
        """Give the account so many dollars for free, until an instant."""
        self.state.grants += (Grant(round(dollars * 1000), snowflake.to_ms(expires)),)

    def count(self, tag: str, start: datetime, end: datetime) -> int:
        """Return how many posts of a tag a search would show now, from start up to end, exclusive. It costs nothing."""
        first, last = (snowflake.first_id(snowflake.to_ms(at)) for at in (start, end))
        posts = self.state.world.found(parse(f"#{tag.removeprefix('#')}"), PostRange(first - 1, last, self.clock.now_ms()))
        return sum(1 for _ in posts)

    def archive(self, params: Mapping[str, str]) -> Json:
        """Return a page of a search of the full archive as of now, by X's parameters. It costs nothing. Raises Problem."""
        return found_page(self.state.world, params, self.clock.now_ms(), ARCHIVE).body

    def forget_requests(self) -> None:
        """Empty the record of requests."""
        self._requests.clear()

    def _answer(self, call: Call, stopping: Event) -> EmulatorAnswer:
        if call.path == ROOT or call.path.startswith(f"{ROOT}/"):
            return self._controls.answer(call)
        if self.latency and stopping.wait(self.latency):
            raise ConnectionAbortedError("stopped before the answer")
        now_ms = self.clock.now_ms()
        answer = self._api.answer(call, now_ms)
        self._requests.append(Request(snowflake.to_datetime(now_ms), call.method, call.path, call.params, answer.status))
        return answer._replace(at_ms=now_ms + round(self.date_skew * 1000))
