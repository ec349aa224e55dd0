"""Slow and oversized requests against the real service: each ends with the code that says why, and others are served."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving

SENDING_S = 2
IMPATIENT = (
    "-c",
    f"import sys, app; from server.channels import Patience; sys.exit(app.main(patience=Patience(30, {SENDING_S}, 30)))",
)
MB = 1024 * 1024
HEAD = b" HTTP/1.1\r\nHost: localhost\r\n"
CASES = {
    "a head that drips": (b"GET /tweets" + HEAD + b"X-Half: ", b"x", 408),
    "a head that stands still": (b"GET /twe", b"", 408),
    "a body that drips": (b"PUT /tags/sre" + HEAD + b"Content-Length: 90000\r\n\r\n", b"x", 408),
    "a body in chunks that drips": (b"PUT /tags/sre" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 408),
    "a body that stands still": (b"PUT /tags/sre" + HEAD + b"Content-Length: 90000\r\n\r\n{", b"", 408),
    "a long path": (b"GET /" + b"x" * 100_000 + HEAD + b"\r\n", b"", 431),
    "a long header": (b"GET /tweets" + HEAD + b"A: " + b"x" * 100_000 + b"\r\n\r\n", b"", 431),
    "many headers": (b"GET /tweets" + HEAD + b"A: b\r\n" * 20_000 + b"\r\n", b"", 431),
    "a head without end": (b"GET /tweets" + HEAD, b"A: b\r\n" * 5_000, 431),
    "a long query": (b"GET /tweets?q=" + b"x" * 9_000 + HEAD + b"Connection: close\r\n\r\n", b"", 414),
    "a large body": (
        b"PUT /tags/sre" + HEAD + b"Content-Length: 1100000\r\nConnection: close\r\n\r\n" + b"x" * 1_100_000,
        b"",
        413,
    ),
    "a huge body": (b"PUT /tags/sre" + HEAD + b"Content-Length: 99000000000\r\n\r\n", b"", 413),
    "a body in chunks without end": (
        b"PUT /tags/sre" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        b"8000\r\n%b\r\n" % (b"x" * 0x8000),
        413,
    ),
    "two lengths": (b"PUT /tags/sre" + HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"", 400),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"", 400),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("greedy")
    with Emulator() as x, serving(folder, command=IMPATIENT, **environment(folder, x)) as server:
        yield server


def answered(port: int, begun: bytes, more: bytes) -> tuple[int, dict[str, object]]:
    """Send the beginning, and more of it ten times a second (at once, where it is much), until an answer comes."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as client:
        over = threading.Event()
        sender = threading.Thread(target=_send, args=(client, begun, more, over))
        sender.start()
        try:
            answer = http.client.HTTPResponse(client)
            answer.begin()
            return answer.status, json.loads(answer.read())
        finally:
            over.set()
            sender.join()


def _send(client: socket.socket, begun: bytes, more: bytes, over: threading.Event) -> None:
    with suppress(OSError):
        client.sendall(begun)
        while more and not over.wait(0.1 if len(more) < 100 else 0):
            client.sendall(more)


def test_each_ends_with_the_right_code_while_others_are_served(service: Server) -> None:
    port = int(service.url.rpartition(":")[2])
    with ThreadPoolExecutor(len(CASES)) as crowd:
        waiting = {name: crowd.submit(answered, port, begun, more) for name, (begun, more, _) in CASES.items()}
        slowest = 0.0
        while not all(one.done() for one in waiting.values()):
            started = time.monotonic()
            assert service.get("/livez").status_code == 200
            slowest = max(slowest, time.monotonic() - started)
        answers = {name: one.result() for name, one in waiting.items()}
    assert {name: status for name, (status, _) in answers.items()} == {name: status for name, (_, _, status) in CASES.items()}
    for name, (status, body) in answers.items():
        assert body["status"] == status, name
        assert body["detail"], name
    assert slowest < SENDING_S
    assert service.get("/tags").json()["tags"]


def test_the_log_says_why_and_nothing_of_what_was_sent(service: Server) -> None:
    lines = [json.loads(line) for line in Path(service.log).read_text().splitlines()]
    reasons = {line["monitor"]["reason"] for line in lines if line["message"] == "request refused unread"}
    assert "the request took too long to come whole" in reasons
    assert not [line for line in lines if "xxxx" in json.dumps(line)]
