"""Sockets, threads and the command."""

from __future__ import annotations

import gzip
import http.client
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from urllib.request import urlopen

import pytest

from emulator import Emulator
from emulator.__main__ import main
from tests.emulator.client import BEARER, Client
from tests.fixtures.environment import ROOT
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until

SEARCH = "/2/tweets/search/recent?query=%23devops&max_results=100"


@contextmanager
def connected(port: int) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_WAIT_S)) as connection:
        connection.connect()
        yield connection


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


def test_one_connection_serves_many_requests_until_the_emulator_stops(emulator: Emulator) -> None:
    with connected(emulator.port) as connection:
        local = connection.sock.getsockname()
        for method, path in (("GET", SEARCH), ("PUT", "/emulator/latency"), ("GET", "/2/none"), ("GET", SEARCH)):
            connection.request(method, path, headers=BEARER, body=b'{"seconds": 0}' if method == "PUT" else None)
            connection.getresponse().read()
            assert connection.sock.getsockname() == local
        emulator.stop()
        assert connection.sock.recv(1) == b""


def test_who_takes_gzip_gets_the_same_body_in_gzip_and_every_answer_names_its_version(client: Client) -> None:
    plain = client.search("#devops", max_results=10)
    packed = client.search("#devops", max_results=10, headers={**BEARER, "Accept-Encoding": "gzip, deflate"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.raw) == plain.raw
    assert "content-encoding" not in plain.headers
    replies = (plain, packed, client.search(""), client.search("#devops", headers={}), client.get("/2/none"))
    assert {reply.headers["api-version"] for reply in replies} == {"2.167"}


def test_many_ask_at_once(emulator: Emulator, client: Client) -> None:
    tags = ["#devops", "#sre", "#oauth", "#metrics", "#ai"] * 4
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(client.search, tags))
    assert {reply.status for reply in replies} == {200}
    assert all(one.ids == replies[nth % 5].ids for nth, one in enumerate(replies))
    assert emulator.ledger.total().posts_served == 2000


def test_the_command_takes_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, float] = {"archive_limit": 9, "archive_pace": 0, "bearer_limit": 5, "user_limit": 6, "counts_limit": 4}
    given |= {"lookup_limit": 3}
    given |= {"compliance_limit": 8, "compliance_seconds": 30, "usage_limit": 7, "billing_day": 15, "seed": 3}
    given |= {"tweets": 10_000, "latency": 0.001, "daily_limit": 99, "odd_percent": 2}
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(main, ["--port=0", "--now=2026-11-24T09:00:00Z", *arguments])
        line = wait_until(lambda: capsys.readouterr().out)
        with urlopen(line.split()[1] + "/emulator") as answer:
            about = answer.read().decode()
        (thread,) = pool._threads
        signal.pthread_kill(thread.ident or 0, signal.SIGTERM)
        assert ended.result(timeout=LONGEST_WAIT_S) == 0
    assert re.fullmatch(r"emulator: http://127\.0\.0\.1:\d+\n", line)
    for name, value in given.items():
        assert re.search(rf'"({name}|{name}_seconds)": ?{value}(\.0)?[,}}]', about), name
    assert '"now":"2026-11-24T09:00:00.000Z"' in about.replace(" ", "")


@pytest.mark.parametrize(
    "wrong",
    ["--billing-day=32", "--archive-pace=-1", "--compliance-seconds=soon", "--port=65536", "--now=2090-01-01T00Z"],
)
def test_a_wrong_setting_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([wrong])
    assert ended.value.code == 2
    assert wrong.partition("=")[0] in capsys.readouterr().err


def test_a_port_in_use_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken, ThreadPoolExecutor(1) as pool:
        port = taken.getsockname()[1]
        assert pool.submit(main, [f"--port={port}"]).result() == 1  # in a thread, for it blocks signals
    assert capsys.readouterr() == ("", f"emulator: can't listen on 127.0.0.1:{port}: Address already in use\n")


@pytest.mark.process
@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_its_address_and_ends_cleanly_on_a_signal(ends: signal.Signals) -> None:
    command, both = [sys.executable, "-m", "emulator", "--port", "0", "--latency", "1ms"], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=both, stderr=both, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        with connected(int(line.rsplit(":", 1)[1])) as connection:
            connection.request("GET", SEARCH, headers=BEARER)
            assert connection.getresponse().status == 200
            process.send_signal(ends)
            out, err = process.communicate(timeout=LONGEST_WAIT_S)
    assert (process.returncode, out, err) == (0, "", "")
    assert line.startswith("emulator: http://127.0.0.1:")
