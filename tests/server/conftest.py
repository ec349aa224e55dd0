"""What tests of the server share: whether it is alive while others keep it busy, and small apps that it serves."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.fixtures.processes import Server

LONGEST_S = 30.0
"""Less than anybody is kept who reads nothing. benchmarks/livez.py measures how soon /livez is answered."""


@dataclass
class Watch:
    """How long each /livez took, in seconds."""

    took: list[float] = field(default_factory=list)

    def assert_alive(self, asked: int = 10) -> None:
        """Hold that it was asked so often at least, and was answered while the others were there."""
        assert len(self.took) >= asked
        assert max(self.took) < LONGEST_S


@contextmanager
def watched(server: Server, *, at_least: int = 10) -> Iterator[Watch]:
    """Ask /livez again and again, over a connection each, beside the block, and `at_least` so often."""
    watch, over = Watch(), threading.Event()

    def ask() -> None:
        while not over.is_set() or len(watch.took) < at_least:
            began = time.monotonic()
            assert server.raw("GET /livez HTTP/1.1").status == 200
            watch.took.append(time.monotonic() - began)
            over.wait(0.02)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
    watch.assert_alive(at_least)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process have thousands of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
