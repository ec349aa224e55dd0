"""Fixtures of the tests of pages: a browser, an emulator of X, and services that use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from threading import Semaphore
from typing import Any

import pytest
from playwright.sync_api import Browser

from emulator import Emulator
from tests.fixtures import databases, leaks
from tests.fixtures.archives import Json, tweet_id
from tests.fixtures.browser import CHROMIUM, MISSING, browser
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, listening
from tests.fixtures.views import GAP, NOW, Serve, imported, planted, set_clock
from tests.fixtures.waiting import LONGEST_WAIT_S


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser that resolves localhost and all names in .test to this machine; skips if none is installed."""
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with browser("localhost", "*.test") as running:
        leaks.keep()
        yield running


@pytest.fixture(scope="module")
def pretend_x() -> Iterator[Emulator]:
    """A small emulator of X with a stopped clock, for all tests of a module."""
    with Emulator(tweets=2_000, now=NOW) as running:
        yield running


@pytest.fixture
def gate(pretend_x: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Semaphore]:
    """X answers one search for each release, and all once the test has ended."""
    passing, answer = Semaphore(0), pretend_x._api.answer

    def held(*call: Any) -> Any:
        if "/search/" in call[0].path:  # not what jobs ask for meanwhile
            passing.acquire(timeout=LONGEST_WAIT_S)
        return answer(*call)

    monkeypatch.setattr(pretend_x._api, "answer", held)
    yield passing
    passing.release(100)


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Serve]:
    """Start services for the tests of a module with these settings; with imported tweets, X's clock is set to NOW."""
    with ExitStack() as running:

        def start(*tweets: Json, **settings: str) -> Service:
            folder = tmp_path_factory.mktemp("service")
            service = running.enter_context(listening(folder, **environment(folder, pretend_x) | settings))
            if tweets:
                imported(service, *tweets)
                set_clock(service)
            return service

        yield start


@pytest.fixture(scope="module")
def service(serve: Serve) -> Service:
    return serve()


@pytest.fixture(scope="module")
def filled(serve: Serve) -> Service:
    """The service after a collection."""
    running = serve()
    assert running.request("POST", "/database").status_code == 200
    return running


@pytest.fixture(scope="module")
def planted_service(serve: Serve) -> Service:
    """The service with tweets of two weeks and a gap in #devops."""
    service, (begin, end) = serve(*planted()), map(tweet_id, GAP)
    listing = "INSERT INTO listings (tag_id, run_id, gap, expired, since_id, until_id, before, query, pages)"
    values = "SELECT id, 1, 1, 0, ?, ?, ?, '', 0 FROM tags WHERE tag = '#devops'"
    databases.asked(databases.url_of(service.log.parent), f"{listing} {values}", begin, end, end)
    return service
