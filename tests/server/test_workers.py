"""Several workers on one socket, under one supervisor."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until

pytestmark = pytest.mark.process

AT_ONCE_S = 25
"""Less than the time that a worker gives requests under way, so that nobody has waited for a connection to be closed."""


@pytest.fixture
def three(tmp_path: Path, emulator: Emulator) -> Iterator[Server]:
    """The service with three workers, all of them ready."""
    with serving(tmp_path, **environment(tmp_path, emulator) | {"WORKERS": "3"}) as server:
        server.until(lambda: len(who_answers(server)) == 3)
        yield server


def who_answers(server: Server) -> set[int]:
    """Send a few requests at once, and return the process ids of the workers that have answered any so far."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(server.get, ["/livez"] * 8))
    records = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    return {record["process"]["pid"] for record in records if record["log"]["logger"] == "access"}


def test_workers_answer_on_one_socket_and_are_replaced_while_others_answer(three: Server) -> None:
    """One that is killed, and all of them at SIGHUP, where no request fails."""
    killed, *others = three.workers()
    assert who_answers(three) == {killed, *others}
    os.kill(killed, signal.SIGKILL)
    for _ in range(20):
        assert three.get("/livez").status_code == 200
    three.until(lambda: len(three.workers()) == 3 and killed not in three.workers())
    three.until(lambda: set(three.workers()) <= who_answers(three))
    assert set(others) <= set(three.workers())

    old, over = set(three.workers()), threading.Event()

    def statuses() -> set[int]:
        return {requests.get(three.url + "/livez", timeout=LONGEST_WAIT_S).status_code for _ in iter(over.is_set, True)}

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(statuses)
        three.process.send_signal(signal.SIGHUP)
        three.until(lambda: not old & set(three.workers()))
        over.set()
        assert asking.result() == {200}


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(three: Server) -> None:
    """Nothing but the loop itself tells the supervisor that it is alive, so one that stands still is noticed."""
    stopped = three.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    wait_until(lambda: "WORKER TIMEOUT" in three.log.read_text(), seconds=60)
    three.until(lambda: stopped not in three.workers())


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_it_with_0_and_kept_connections_do_not_delay_it(server: Server, told: signal.Signals) -> None:
    with requests.Session() as session:
        assert session.get(server.url + "/livez").status_code == 200
        server.process.send_signal(told)
        assert server.process.wait(AT_ONCE_S) == 0
