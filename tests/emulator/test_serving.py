"""Sockets, threads and the process."""

from __future__ import annotations

import gc
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import pytest

from emulator import Emulator
from tests.emulator.conftest import Client

REPOSITORY = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "emulator"]
SEARCH = "/2/tweets/search/recent?query=%23devops&max_results=100"
HEADERS = {"Authorization": "Bearer x"}


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


FEW = 3


def test_fifty_opened_and_closed_leave_no_thread_and_no_socket(reader: Client) -> None:
    threads, files = threading.active_count(), _open_files()
    for _ in range(50):
        with Emulator(seed=1) as emulator:
            assert type(reader)(emulator.port).search("#devops").status == 200
    gc.collect()
    assert threading.active_count() <= threads + FEW  # fifty leaks would be fifty
    assert _open_files() <= files + FEW


def test_stopping_closes_connections_that_are_kept_alive() -> None:
    emulator = Emulator(seed=1)
    emulator.start()
    with closing(http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)) as connection:
        for _ in range(2):
            connection.request("GET", SEARCH, headers=HEADERS)
            assert connection.getresponse().read()
        emulator.stop()
        assert connection.sock.recv(1) == b""


def test_it_can_be_stopped_and_started_again_on_its_port(emulator: Emulator, client: Client) -> None:
    client.search("#devops")
    url = emulator.url
    emulator.stop()
    emulator.stop()
    with pytest.raises(ConnectionRefusedError):
        client.search("#devops")
    emulator.start()
    emulator.start()
    assert emulator.url == url
    assert client.search("#devops").status == 200
    assert emulator.ledger.total().posts_served == 200


def test_one_connection_serves_many_requests(emulator: Emulator) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)) as connection:
        connection.connect()
        local = connection.sock.getsockname()
        for method, path in (("GET", SEARCH), ("PUT", "/emulator/latency"), ("GET", "/2/none"), ("GET", SEARCH)):
            connection.request(method, path, headers=HEADERS, body=b'{"seconds": 0}' if method == "PUT" else None)
            connection.getresponse().read()
            assert connection.sock.getsockname() == local


def test_many_ask_at_once(emulator: Emulator, client: Client) -> None:
    tags = ["#devops", "#sre", "#oauth", "#metrics", "#ai"] * 4
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(client.search, tags))
    assert {reply.status for reply in replies} == {200}
    assert all(one.ids == replies[nth % 5].ids for nth, one in enumerate(replies))
    assert emulator.ledger.total().posts_served == 2000


def test_stopping_does_not_wait_for_the_latency(emulator: Emulator, client: Client) -> None:
    emulator.latency = 3600
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.search, "#devops")
        while not any(thread.name == "emulator-serve" for thread in threading.enumerate()):
            pass
        emulator.stop()
        with pytest.raises((OSError, http.client.HTTPException)):
            asked.result(timeout=10)


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_its_address_and_ends_cleanly_on_a_signal(ends: signal.Signals, reader: Client) -> None:
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--latency", "1ms"], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        port = int(line.rsplit(":", 1)[1])
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", SEARCH, headers=HEADERS)
            assert connection.getresponse().status == 200
            process.send_signal(ends)
            out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")
    assert line == f"emulator: http://127.0.0.1:{port}\n"


def test_the_command_takes_every_setting() -> None:
    chosen = ["--archive-limit", "9", "--archive-pace", "0", "--compliance-limit", "8", "--compliance-seconds", "30s"]
    command = [*COMMAND, "--port", "0", *chosen, "--usage-limit", "7", "--billing-day", "15"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        with urlopen(process.stdout.readline().split()[1] + "/emulator") as answer:
            settings = json.load(answer)["settings"]
        process.terminate()
    names = ("archive_limit", "archive_pace", "compliance_limit", "compliance_seconds", "usage_limit", "billing_day")
    assert [settings[name] for name in names] == [9, 0, 8, 30, 7, 15]


@pytest.mark.parametrize("wrong", ["--billing-day=32", "--archive-pace=-1", "--compliance-seconds=soon"])
def test_a_wrong_setting_is_refused(wrong: str) -> None:
    ended = subprocess.run([*COMMAND, wrong], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert wrong.partition("=")[0] in ended.stderr


def test_a_port_in_use_is_one_line_and_exit_1() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run([*COMMAND, "--port", str(port)], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"emulator: can't listen on 127.0.0.1:{port}: Address already in use\n"


def test_the_package_imports_only_the_standard_library_and_itself() -> None:
    script = (
        "import sys; import emulator, emulator.__main__; "
        "print({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names) - {'emulator', '__main__'})"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "set()\n"
