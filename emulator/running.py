"""An emulator in this process."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import datetime
from functools import partial
from threading import Event
from types import TracebackType
from typing import Self

from emulator.billing.ledger import Ledger
from emulator.clock import Clock
from emulator.controls.control import Control
from emulator.controls.orders import ROOT
from emulator.credits import Grant
from emulator.endpoints.jobs import UploadJob
from emulator.faults.faults import PlannedFault
from emulator.http.answer import Call, EmulatorAnswer
from emulator.http.api import Api
from emulator.http.handler import Handler, Service
from emulator.http.listener import Listener
from emulator.http.requested import Request, Requests
from emulator.query import parse
from emulator.settings import EmulatorSettings
from emulator.world import snowflake
from emulator.world.world import IdRange, Removal


class Emulator:
    """A pretend X API that serves between start() and stop(), or inside a with block.

    It keeps its port, its clock, its ledger and its faults when it is stopped and started again. Raises OSError
    from start() if the port is taken. For the arguments see Settings.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        tweets: int = 20_000,
        latency: float = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        now: datetime | None = None,
        bearer_limit: int = 450,
        user_limit: int = 300,
        counts_limit: int = 300,
        archive_limit: int = 300,
        archive_pace: int = 1,
        compliance_limit: int = 150,
        compliance_seconds: float = 0,
        usage_limit: int = 50,
        billing_day: int = 1,
        balance: int = 1000,
        charge_authors: bool = True,
    ) -> None:
        self.settings = EmulatorSettings(
            host=host,
            port=port,
            seed=seed,
            tweets=tweets,
            latency=latency,
            bearer_limit=bearer_limit,
            user_limit=user_limit,
            counts_limit=counts_limit,
            archive_limit=archive_limit,
            archive_pace=archive_pace,
            compliance_limit=compliance_limit,
            compliance_seconds=compliance_seconds,
            usage_limit=usage_limit,
            billing_day=billing_day,
            balance=balance,
            charge_authors=charge_authors,
            now=now,
        )
        self.clock = Clock(now)
        self._api = Api(self.settings, self.clock)
        self.date_skew = 0.0
        """Seconds by which the Date of the API's answers is ahead of the clock, behind it if negative."""
        self._requests = Requests()
        self._control = Control(self._api, self._requests)
        self._listener: Listener | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port, 0 before the first start() if a free one was asked for."""
        return self.settings.port

    @property
    def url(self) -> str:
        """The base of every address, without a slash at its end."""
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        return f"http://{host}:{self.port}"

    @property
    def ledger(self) -> Ledger:
        """What was sold."""
        return self._api.ledger

    @property
    def requests(self) -> list[Request]:
        """The newest 10,000 requests to the API, oldest first; the controls aren't among them."""
        return self._requests.all()

    @property
    def latency(self) -> float:
        """Seconds before each answer of the API."""
        return self._api.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._api.latency = seconds

    @property
    def jobs(self) -> list[UploadJob]:
        """The compliance jobs, oldest first, with the ids that were uploaded."""
        return self._api.jobs.all()

    @property
    def compliance_seconds(self) -> float:
        """How long a compliance job takes after its upload; a change concerns later uploads."""
        return self._api.jobs.seconds

    @compliance_seconds.setter
    def compliance_seconds(self, seconds: float) -> None:
        self._api.jobs.seconds = seconds

    def start(self) -> None:
        """Listen. Does nothing if it listens already."""
        if self._listener is None:
            self._listener = Listener(self.settings.host, self.settings.port, self._serve)
            self.settings = replace(self.settings, port=self._listener.port)

    def stop(self) -> None:
        """Close every connection and end every thread. Does nothing if it is stopped."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None

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
        """Plan a fault; see emulator.faults for the arguments. Raises ValueError for an unknown kind."""
        self._api.faults.plan(PlannedFault(kind, times, tag, after_pages, seconds, endpoint))

    def clear_faults(self) -> None:
        """Drop every planned fault."""
        self._api.faults.clear()

    def reset_limits(self) -> None:
        """Open every rate-limit window anew."""
        self._api.limits.reset()

    def remove(self, *post_ids: int, reason: str = "deleted") -> None:
        """Take posts, each named by any version's id, out of the world from now on; scrub_geo takes their places only.

        Ids that no post has are reported by compliance jobs as well. Raises ValueError for an unknown reason.
        """
        self._api.removals.add(post_ids, Removal(reason, self.clock.now_ms()))

    def reinstate(self) -> None:
        """Bring everything back that was removed."""
        self._api.removals.clear()

    def drift(self, posts: int) -> None:
        """Let X's usage of today count so many posts more than were sold, fewer if negative; 0 ends it."""
        self._api.usage.drift = posts

    def charge_authors(self, charged: bool) -> None:
        """Let the account's bill hold authors, or not."""
        self._api.credits.charge_authors = charged

    def move_balance(self, dollars: float) -> None:
        """Put so many dollars into the account, or take them out, as other apps do."""
        self._api.credits.moved += round(dollars * 1000)

    def grant(self, dollars: float, expires: datetime) -> None:
        """Give the account so many dollars for free, until an instant."""
        self._api.credits.grants += (Grant(round(dollars * 1000), snowflake.to_ms(expires)),)

    def count(self, tag: str, start: datetime, end: datetime) -> int:
        """Return how many posts of a tag a search would show now, from start up to end, exclusive. It costs nothing."""
        first, last = (snowflake.first_id(snowflake.to_ms(at)) for at in (start, end))
        posts = self._api.world.posts(parse(f"#{tag.removeprefix('#')}"), IdRange(first - 1, last, self.clock.now_ms()))
        return sum(1 for _ in posts)

    def forget_requests(self) -> None:
        """Empty the record of requests."""
        self._requests.clear()

    def _serve(self, connection: socket.socket, address: tuple[str, int], stopping: Event) -> None:
        Handler(connection, address, Service(partial(self._answer, stopping), self.clock.now_ms, stopping.wait))

    def _answer(self, stopping: Event, call: Call) -> EmulatorAnswer:
        if call.path == ROOT or call.path.startswith(f"{ROOT}/"):
            return self._control.answer(call)
        if self._api.latency and stopping.wait(self._api.latency):
            raise ConnectionAbortedError("stopped before the answer")
        now_ms = self.clock.now_ms()
        answer = self._api.answer(call, now_ms)
        self._requests.add(Request(snowflake.to_datetime(now_ms), call.method, call.path, call.params, answer.status))
        return answer._replace(at_ms=now_ms + round(self.date_skew * 1000))
