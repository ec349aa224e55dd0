"""Several workers on one socket: they are replaced when they die, at a signal, and whatever disk is full."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from emulator import Emulator
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.processes import Server, is_running, serving
from tests.fixtures.waiting import LONGEST_WAIT_S

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


@contextmanager
def asked_meanwhile(server: Server) -> Iterator[list[int]]:
    """Ask from four threads, over a connection each time, while the block lasts; give the statuses."""
    over, statuses = threading.Event(), list[int]()

    def ask() -> None:
        while not over.is_set():
            statuses.append(requests.get(server.url + "/tweets_per_hour", timeout=LONGEST_WAIT_S).status_code)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            yield statuses
        finally:
            over.set()
    for one in asking:
        one.result()


def replace(server: Server) -> None:
    """Kill a worker and wait until another one is in its place."""
    killed, count = server.workers()[0], len(server.workers())
    os.kill(killed, signal.SIGKILL)
    server.until(lambda: killed not in server.workers() and len(server.workers()) == count)


def test_a_worker_that_is_killed_is_replaced_while_others_answer(three: Server) -> None:
    killed, *others = three.workers()
    replace(three)
    three.until(lambda: set(three.workers()) <= who_answers(three))
    assert set(others) <= set(three.workers())
    assert killed not in three.workers()


def test_at_sighup_all_workers_are_replaced_and_no_answer_is_lost(three: Server) -> None:
    old = set(three.workers())
    with asked_meanwhile(three) as statuses:
        three.process.send_signal(signal.SIGHUP)
        three.until(lambda: not old & set(three.workers()))
    assert len(statuses) > 20
    assert set(statuses) == {200}


def test_at_sigterm_each_answer_that_is_given_arrives(three: Server) -> None:
    """Who is not accepted any more is refused, as by a service that is not there."""

    def ask() -> int:
        for count in itertools.count():
            try:
                assert requests.get(three.url + "/tweets_per_hour", timeout=LONGEST_WAIT_S).status_code == 200
            except requests.ConnectionError:
                return count
        raise AssertionError

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        three.until(lambda: three.log.read_text().count('"route":"/tweets_per_hour"') > 100)
        assert three.stop() == 0
    given = three.log.read_text().count('"route":"/tweets_per_hour"')
    assert sum(one.result() for one in asking) == given > 100


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_and_kept_connections_do_not_delay_it(server: Server, told: signal.Signals) -> None:
    with requests.Session() as session:
        assert session.get(server.url + "/livez").status_code == 200
        server.process.send_signal(told)
        assert server.process.wait(AT_ONCE_S) == 0


def test_counts_outlive_the_workers_that_made_them(tmp_path: Path, emulator: Emulator) -> None:
    """Ten are killed; each leaves its files to the next, and none is left at the end."""
    folder = tmp_path / "metrics-of"
    with serving(tmp_path, **environment(tmp_path, emulator) | {"WORKERS": "2"}) as two:
        folder = tmp_path / f"metrics-{two.port}"
        for _ in range(10):
            assert two.get("/tweets_per_tag").status_code == 200
            replace(two)
        two.until(lambda: two.get("/metrics").ok)
        counted = 'flask_http_request_duration_seconds_count{method="GET",status="200",url_rule="/tweets_per_tag"} 10.0'
        assert counted in two.get("/metrics").text
        assert len(list(folder.glob("*.db"))) == 4 * 5
        assert len(list(folder.iterdir())) == 4 * (5 + 1) + 1
    assert not folder.exists()


@pytest.mark.slow
def test_two_hundred_replacements(tmp_path: Path, emulator: Emulator) -> None:
    with serving(tmp_path, **environment(tmp_path, emulator) | {"WORKERS": "2"}) as two, asked_meanwhile(two):
        for _ in range(200):
            replace(two)


@pytest.mark.parametrize("full", ["temporary", "data"])
def test_a_full_folder_ends_no_worker(tmp_path: Path, emulator: Emulator, full: str) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(f"mount -t tmpfs -o size=8m tmpfs {small}".split(), capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root")
    try:
        variable = "TMPDIR" if full == "temporary" else "DATA_FOLDER"
        with serving(tmp_path, **environment(tmp_path, emulator) | {"WORKERS": "2", variable: str(small)}) as two:
            subprocess.run(["dd", "if=/dev/zero", f"of={small}/filled"], capture_output=True, check=False)
            assert shutil.disk_usage(small).free == 0
            workers = two.workers()
            for number in range(50):
                assert two.get("/tweets_per_tag").status_code == 200
                assert two.get(f"/nothing/{number}").status_code == 404
            assert two.get("/metrics").status_code == 200
            assert two.workers() == workers
            replace(two)
            assert two.get("/livez").status_code == 200
    finally:
        subprocess.run(["umount", str(small)], check=True)


ORPHAN = """
import signal, sys, time
from server import serving
class Work:
    start = stop = close = lambda *given, **more: None
serving._start_worker(lambda: (None, Work()), collect=False, is_stopping=lambda: False, parent=1)
signal.signal(signal.SIGTERM, lambda *given: sys.exit(7))
time.sleep(60)
"""


def test_a_worker_whose_parent_died_while_it_was_loaded_ends() -> None:
    assert subprocess.run([sys.executable, "-c", ORPHAN], cwd=ROOT, timeout=LONGEST_WAIT_S, check=False).returncode == 7


def test_what_a_killed_parent_leaves_is_removed_at_the_next_start(tmp_path: Path, emulator: Emulator) -> None:
    settings = environment(tmp_path, emulator) | {"WORKERS": "2"}
    with serving(tmp_path, **settings) as first:
        workers = first.workers()
        first.process.kill()
        first.process.wait()
        first.until(lambda: not any(is_running(pid) for pid in workers))
    left = tmp_path / f"metrics-{first.port}"
    assert left.exists()
    (left / "counter_left.db").touch()
    with serving(tmp_path, **settings | {"PORT": str(first.port)}):
        assert not (left / "counter_left.db").exists()
