"""Writers of one process take turns: one at a time, in the order in which they came, and not for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from database.errors import DatabaseUnavailable
from database.limits import FairLock
from tests.fixtures.waiting import wait_until


def test_who_came_first_is_first_and_nobody_is_beside_another() -> None:
    turns, first_may_end, order = FairLock(), Event(), list[int]()

    def take(number: int) -> None:
        with turns.acquire(60):
            order.append(number)
            if number == 0:
                assert first_may_end.wait(60)
                assert order == [0]

    with ThreadPoolExecutor(3) as pool:
        taken = []
        for number in range(3):
            taken.append(pool.submit(take, number))
            wait_until(lambda: len(turns._queue) == len(taken))
        first_may_end.set()
        for one in taken:
            one.result(60)
    assert order == [0, 1, 2]


def test_who_waits_too_long_is_told_and_leaves_the_queue() -> None:
    turns = FairLock()
    with turns.acquire(), ThreadPoolExecutor(1) as pool, pytest.raises(DatabaseUnavailable, match="busy"):
        pool.submit(lambda: turns.acquire(0.01).__enter__()).result(60)
    with turns.acquire(0):
        pass
