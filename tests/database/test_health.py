"""The health of servers: which have gone silent, and which rest."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from database import connections
from database.connections import ServerHealth
from tests.fixtures.waiting import wait_until

PAUSED, WELL = ("127.0.0.1", 1), ("127.0.0.1", 2)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Who was asked for a sign of life; only one of the two gives one."""
    found = list[Any]()

    def responds(*server: Any) -> bool:
        found.append(server)
        return bool(server == WELL)

    monkeypatch.setattr(connections, "responds", responds)
    return found


def test_a_server_that_is_asked_twice_in_vain_is_silent_and_one_that_answers_is_not(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    both = ServerHealth()
    for silent in (False, True):
        assert [both.is_silent(server) for server in (PAUSED, WELL)] == [silent, False]
        now[0] += connections.PROBE_S
    now[0] += connections.FORGOTTEN_S
    assert not both.is_silent(PAUSED), "what was long ago counts no longer"
    assert asked == [PAUSED, WELL] * 2 + [PAUSED]


def test_a_server_is_asked_once_for_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over, own = list[Any](), Event(), ServerHealth()

    def responds(*server: Any) -> bool:
        asked.append(server)
        return over.wait(60)

    monkeypatch.setattr(connections, "responds", responds)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(own.is_silent, PAUSED)
        wait_until(lambda: asked)
        assert not any(own.is_silent(PAUSED) for _ in range(8))
        over.set()
        assert not first.result(60)
    assert asked == [PAUSED]


def test_a_server_rests_for_a_moment_and_is_then_tried_by_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, own = [1000.0], ServerHealth()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    own.rest(PAUSED)
    assert (own.is_resting(PAUSED), own.may_try(PAUSED), own.is_resting(WELL), own.may_try(WELL)) == (True, False, False, True)
    now[0] += connections.RESTED_S
    assert [own.may_try(PAUSED) for _ in range(3)] == [True, False, False]
    now[0] += connections.RESTED_S
    assert [own.may_try(PAUSED) for _ in range(3)] == [True, False, False]
    assert own.is_resting(PAUSED)
    own.trust(PAUSED)
    assert (own.is_resting(PAUSED), own.may_try(PAUSED), own.may_try(PAUSED)) == (False, True, True)
