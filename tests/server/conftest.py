"""What tests of the server share: an app of the test's own, served by a reception in a thread, and a clock to put forward."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from server.channels import Channel
from tests.fixtures.reception import Served
from tests.fixtures.waiting import wait_until

Serve = Callable[..., Served]


class Clock:
    """What `time` says in this process, which a test can put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead = 0.0
        for name in ("time", "monotonic"):
            monkeypatch.setattr(time, name, self._later(getattr(time, name)))

    def forward(self, seconds: float) -> None:
        self._ahead += seconds

    def forward_until(self, condition: Callable[[], Any], *, seconds: float) -> None:
        """Put it forward again and again, until the condition is true."""

        def ahead() -> Any:
            self.forward(seconds)
            return condition()

        wait_until(ahead)

    def _later(self, real: Callable[[], float]) -> Callable[[], float]:
        return lambda: real() + self._ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve an app until the test ends."""
    with ExitStack() as stack:
        yield lambda app, room=None: stack.enter_context(Served(app, room=room))


def channels(served: Served, count: int, *, begun: bool = False) -> list[Channel]:
    """Return the server's sides of so many connections, once they are there (and, if so asked, have begun a request)."""

    def found() -> list[Channel]:
        return [channel for channel in served.reception._channels() if channel.request or not begun]

    wait_until(lambda: len(found()) == count)
    return found()
