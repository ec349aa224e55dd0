"""One question for all who ask at the same time, and none takes an answer to what was asked before it came."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from alchemy import DatabaseUnavailable
from queries.newest import Rows, SharedQuestion
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until


class Server:
    """Answers with the number of the question, each when it is told to."""

    def __init__(self) -> None:
        self.asked, self.away, self._go_on = 0, False, threading.Semaphore(0)

    def ask(self) -> Rows:
        self.asked += 1
        number = self.asked
        assert self._go_on.acquire(timeout=LONGEST_WAIT_S)
        if self.away:
            raise DatabaseUnavailable("away")
        return (("number", number),)

    def go_on(self) -> None:
        self._go_on.release()


def test_who_comes_during_a_question_shares_the_next_one() -> None:
    server = Server()
    shared = SharedQuestion(server.ask)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(shared.answer)
        wait_until(lambda: server.asked == 1)
        others = [pool.submit(shared.answer) for _ in range(8)]
        wait_until(lambda: len(shared._changed._waiters) == 8)  # type: ignore[attr-defined]
        server.go_on()
        assert first.result() == (("number", 1),)
        server.go_on()
        assert {other.result() for other in others} == {(("number", 2),)}
    assert server.asked == 2


def test_all_who_wait_for_a_question_that_fails_are_told_and_the_next_one_is_put_anew() -> None:
    server = Server()
    shared, server.away = SharedQuestion(server.ask), True
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(shared.answer)
        wait_until(lambda: server.asked == 1)
        others = [pool.submit(shared.answer) for _ in range(2)]
        wait_until(lambda: len(shared._changed._waiters) == 2)  # type: ignore[attr-defined]
        for asking in ([first], others):
            server.go_on()
            for one in asking:
                with pytest.raises(DatabaseUnavailable):
                    one.result()
    server.away = False
    server.go_on()
    assert shared.answer() == (("number", 3),)
