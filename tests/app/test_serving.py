"""`python app.py` as an operator meets it: workers, signals, streams that are under way, and what it refuses."""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path

import pytest
import requests

from emulator import Emulator
from tests.app.conftest import fill, run, states
from tests.fixtures import databases
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, free_port, is_running, serving
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until

pytestmark = pytest.mark.process

UNPACKED = {"Accept-Encoding": "identity"}  # else twenty thousand tweets fit what a socket takes in


def test_several_workers_collect_once_at_first_start(tmp_path: Path, emulator: Emulator) -> None:
    settings = environment(tmp_path, emulator) | {"COLLECT_ON_START": "1", "WORKERS": "4"}
    with serving(tmp_path, **settings) as server:
        server.until(lambda: (server.get("/readyz").json()["last_collection"] or {}).get("state") == "done")
        server.until(lambda: len(server.workers()) == 4)
    assert states(tmp_path) == ["done"]
    assert len(emulator.requests) == 3


def test_sigterm_finishes_a_stream_that_is_under_way(tmp_path: Path, server: Server) -> None:
    fill(tmp_path, 20_000)
    with requests.get(server.url + "/tweets", headers=UNPACKED, stream=True, timeout=LONGEST_WAIT_S) as answer:
        chunks = answer.iter_content(65536)
        first = next(chunks)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        whole = first + b"".join(chunks)
    stopping.join()
    assert server.process.returncode == 0
    assert whole.endswith(b"]}")
    assert whole.count(b'"tweet":') == 20_000


@pytest.mark.parametrize("x", ["slow", "silent"])
def test_sigterm_ends_a_long_collection_and_answers_who_waits_for_it(tmp_path: Path, emulator: Emulator, x: str) -> None:
    if x == "slow":
        emulator.latency = 0.3
    else:
        emulator.plan("hang", times=None, seconds=120)
    settings = environment(tmp_path, emulator) | {"TW_NUMBER": "5000", "X_TIMEOUT": "90s"}
    with serving(tmp_path, **settings) as server, server.in_background("/database") as answer:
        server.until(lambda: states(tmp_path) and (x == "silent" or "page stored" in server.log.read_text()))
        assert server.stop() == 0
        assert answer.result().status_code == 503
    assert states(tmp_path) == ["failed"]


def test_a_worker_whose_parent_dies_exits(server: Server) -> None:
    workers = server.workers()
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    wait_until(lambda: not any(is_running(pid) for pid in workers))
    with pytest.raises(requests.ConnectionError):
        server.get("/livez")


def test_a_port_in_use_stops_it_with_one_line(tmp_path: Path, emulator: Emulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(tmp_path, "app.py", PORT=port, **environment(tmp_path, emulator))
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert port in ended.stderr


@pytest.mark.parametrize(("revision", "said"), [("9999", "newer version"), ("0011", "database carry-over OLD_URL")])
def test_a_database_of_another_version_is_refused_with_one_line(
    tmp_path: Path, emulator: Emulator, revision: str, said: str
) -> None:
    databases.asked(databases.url_of(tmp_path), f"UPDATE alembic_version SET version_num = '{revision}'")
    for door in ("app.py", "api.py"):
        ended = run(tmp_path, door, PORT=str(free_port()), **environment(tmp_path, emulator))
        assert ended.returncode in (1, 2)
        assert [said in line for line in ended.stderr.splitlines()] == [True]
