"""Wrong tokens are answered later and later, for a second at most and in nobody else's time; the right one is never late."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from emulator import Emulator
from guard.failures import FIRST_S, FORGOTTEN_S, HOLD, LONGEST_S, MOST_CLIENTS, Failures
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.guard.conftest import TOKEN, bearer

MOST_S = 1.0


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("failures")
    with Emulator() as x, serving(folder, **environment(folder, x), API_TOKEN=TOKEN) as server:
        yield server


class Clock:
    """Time that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def held(failures: Failures, client: str = "192.0.2.1") -> float:
    """Return for how many seconds the answer to a wrong token is held back."""
    asked: list[float] = []
    environ: dict[str, Any] = {"REMOTE_ADDR": client, HOLD: asked.append}
    failures.slow_down(environ)
    return asked[0]


def test_each_wrong_token_waits_twice_as_long_up_to_a_bound() -> None:
    failures = Failures(Clock())
    waits = [held(failures) for _ in range(2000)]
    assert waits[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_S < MOST_S


def test_each_client_is_counted_for_itself_and_forgotten_in_time() -> None:
    clock = Clock()
    failures = Failures(clock)
    for _ in range(10):
        held(failures)
    assert held(failures, "192.0.2.2") == FIRST_S
    clock.now += FORGOTTEN_S - 1
    assert held(failures) == LONGEST_S
    clock.now += FORGOTTEN_S + 1
    assert held(failures) == FIRST_S


def test_what_is_kept_of_clients_is_bounded() -> None:
    failures = Failures(Clock())
    for number in range(2 * MOST_CLIENTS):
        held(failures, f"client {number}")
    assert len(failures._clients) == MOST_CLIENTS


def test_over_http_a_wrong_token_waits_at_most_a_second_and_the_right_one_not_at_all(guarded: Server) -> None:
    for _ in range(6):
        assert guarded.get("/tags", headers=bearer("wrong")).status_code == 401
    started = time.monotonic()
    assert guarded.get("/tags", headers=bearer("wrong")).status_code == 401
    assert time.monotonic() - started > LONGEST_S
    assert guarded.get("/tags", headers=bearer(TOKEN)).status_code == 200


def test_a_crowd_with_wrong_tokens_takes_no_thread_from_others(guarded: Server) -> None:
    """Each of 200 waits; with a thread for each, the right token would wait for all of them: 200 x 0.7 s / 32 threads."""

    def wrong(number: int) -> int:
        return requests.get(f"{guarded.url}/tags", headers=bearer(f"wrong{number}"), timeout=30).status_code

    with ThreadPoolExecutor(100) as crowd:
        answers = [crowd.submit(wrong, number) for number in range(200)]
        started, count = time.monotonic(), 0
        while not all(answer.done() for answer in answers):
            assert guarded.get("/tags", headers=bearer(TOKEN)).status_code == 200
            count += 1
        took = time.monotonic() - started
    assert {answer.result() for answer in answers} == {401}
    assert count > 5 * took  # one after the other, and none waited for the crowd


def test_the_log_counts_failures_and_has_no_token(guarded: Server) -> None:
    records = [json.loads(line) for line in Path(guarded.log).read_text().splitlines()]
    found = [record for record in records if record["message"] == "wrong token"]
    assert found[0]["client"] == {"ip": "127.0.0.1"}
    assert [one["monitor"]["failures"] for one in found] == [2**power for power in range(len(found))]
    assert "wrong1" not in guarded.log.read_text()
