"""An emulator in this process."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import datetime
from functools import partial
from threading import Event
from types import TracebackType
from typing import Self

from emulator import snowflake
from emulator.answer import Answer, Call
from emulator.api import Api
from emulator.clock import Clock
from emulator.control import ROOT, Control
from emulator.faults import Fault
from emulator.handler import Handler, Service
from emulator.ledger import Ledger
from emulator.listener import Listener
from emulator.requested import Request, Requests
from emulator.settings import Settings


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
    ) -> None:
        self.settings = Settings(host, port, seed, tweets, latency, bearer_limit, user_limit, counts_limit, now)
        self.clock = Clock(now)
        self._api = Api(self.settings, self.clock)
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
        self._api.faults.plan(Fault(kind, times, tag, after_pages, seconds, endpoint))

    def clear_faults(self) -> None:
        """Drop every planned fault."""
        self._api.faults.clear()

    def reset_limits(self) -> None:
        """Open every rate-limit window anew."""
        self._api.limits.reset()

    def forget_requests(self) -> None:
        """Empty the record of requests."""
        self._requests.clear()

    def _serve(self, connection: socket.socket, address: tuple[str, int], stopping: Event) -> None:
        Handler(connection, address, Service(partial(self._answer, stopping), self.clock.now_ms, stopping.wait))

    def _answer(self, stopping: Event, call: Call) -> Answer:
        if call.path == ROOT or call.path.startswith(f"{ROOT}/"):
            return self._control.answer(call)
        if self._api.latency and stopping.wait(self._api.latency):
            raise ConnectionAbortedError("stopped before the answer")
        now_ms = self.clock.now_ms()
        answer = self._api.answer(call, now_ms)
        self._requests.add(Request(snowflake.to_datetime(now_ms), call.method, call.path, call.params, answer.status))
        return answer._replace(at_ms=now_ms)
