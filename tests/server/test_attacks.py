"""Clients that dawdle, are greedy or come in hundreds: /livez is answered beside all of them, without a token."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from emulator import Emulator
from tests.app.conftest import fill
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.server.conftest import watched
from web.static_files import SWAGGER_UI

pytestmark = pytest.mark.process

TOKEN = "write-7c1f0ad24b9e58d3"
BUNDLE = f"GET /static/{SWAGGER_UI}/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
ALL = b"GET /tweets HTTP/1.1\r\nHost: localhost\r\n\r\n"
FORM = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Iterator[Server]:
    """The service with a token, and 80,000 tweets."""
    folder = tmp_path_factory.mktemp("attacked")
    with Emulator() as emulator:
        fill(folder, 80_000)
        with serving(folder, **environment(folder, emulator), API_TOKEN=TOKEN) as running:
            yield running


@contextmanager
def connected(server: Server, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Give so many clients that have sent this, and read as little as a client can."""
    with ExitStack() as stack:
        yield [stack.enter_context(server.connect(sent, window=2048)) for _ in range(count)]


def test_pipelined_answers_that_nobody_reads(server: Server) -> None:
    with connected(server, 120, BUNDLE * 4), watched(server):
        pass


@pytest.mark.usefixtures("many_files")
def test_a_thousand_answers_that_nobody_reads(server: Server) -> None:
    with connected(server, 1010, BUNDLE), watched(server):
        pass


def test_slow_senders_slow_readers_and_dripping_bodies_beside_a_full_load(server: Server) -> None:
    """The heads and bodies go on to drip; of the streams eight begin and the others are told to come again."""
    over = threading.Event()
    asking = {"Authorization": f"Bearer {TOKEN}"}
    authorized = ALL.replace(b"\r\n\r\n", f"\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())

    def load() -> Counter[int]:
        with requests.Session() as session:
            return Counter(
                session.get(f"{server.url}/tweets_per_hour", headers=asking).status_code for _ in iter(over.is_set, True)
            )

    with (
        connected(server, 64, b"GET /livez HTTP/1.1\r\nHost: local") as heads,
        connected(server, 64, authorized),
        connected(server, 32, FORM + b"Content-Length: 1000\r\n\r\ntoken=") as bodies,
        ThreadPoolExecutor(4) as pool,
    ):
        loads = [pool.submit(load) for _ in range(4)]
        try:
            with watched(server, at_least=30):
                for client in (heads + bodies) * 20:
                    with suppress(OSError):  # who is told to come again is not listened to any longer
                        client.sendall(b"x")
                    time.sleep(0.0005)  # how slowly they drip
        finally:
            over.set()
        counted = sum((one.result() for one in loads), Counter[int]())
    assert counted[200] > 100
    assert counted.keys() <= {200, 503}
    signed_in = requests.post(f"{server.url}/sign-in", data={"token": TOKEN}, allow_redirects=False, timeout=30)
    assert signed_in.status_code == 303, "bodies that ended with their clients hold their places still"


def test_a_hundred_costly_questions_at_once(server: Server) -> None:
    """Some are answered, the others are told to come again in a moment."""

    def ask(number: int) -> tuple[int, bool]:
        path = f"/timeline?bucket=15m&min_followers=0&since=2026-01-01T00:{number % 60:02}:{number // 60:02}Z"
        answer = requests.get(server.url + path, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
        return answer.status_code, "Retry-After" in answer.headers

    with ThreadPoolExecutor(100) as pool, watched(server, at_least=3):
        answers = Counter(pool.map(ask, range(100)))
    assert answers.keys() <= {(200, False), (503, True)}
    assert answers[200, False] >= 8


def test_more_connections_than_files_are_not_accepted_and_say_nothing(tmp_path: Path, emulator: Emulator) -> None:
    limited = "import resource, runpy; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"
    command = ("-c", f"{limited}; runpy.run_path('app.py', run_name='__main__')")
    with serving(tmp_path, command=command, **environment(tmp_path, emulator)) as few:
        with ExitStack() as stack:
            for _ in range(200):
                stack.enter_context(few.connect())
            time.sleep(1)  # a loop that spins writes thousands of lines in it
        few.until(lambda: few.get("/livez").ok)
    assert len(few.log.read_text().splitlines()) < 100


def test_a_stream_that_breaks_off_is_noticed_by_its_client(tmp_path: Path, emulator: Emulator) -> None:
    fill(tmp_path, 20_000)
    with serving(tmp_path, **environment(tmp_path, emulator)) as running, running.connect(ALL, window=4096) as client:
        begun = client.recv(4096)
        assert begun.startswith(b"HTTP/1.1 200 OK\r\n")
        assert running.request("DELETE", "/database").status_code == 200
        whole = begun + b"".join(iter(lambda: client.recv(65536), b""))
    assert not whole.endswith(b"0\r\n\r\n")
    assert "an answer broke off" in running.log.read_text()
    assert "Traceback" not in running.log.read_text()
