"""Who dawdles is closed: by saying nothing, by sending slowly, or by not reading. Who waits for the app is not."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from server.channels import Patience
from tests.fixtures.waiting import wait_until
from tests.server.conftest import Serve, everything
from tests.server.test_reception import CLOSE, Stream, told

LONG = 60.0
SHORT = 0.5


def wait_until_closed(client: socket.socket) -> None:
    """Wait until the server closes the connection; fails after the client's own time."""
    with suppress(ConnectionResetError):
        everything(client)


@pytest.mark.parametrize("kept", ["a kept connection", "a new one"])
def test_who_says_nothing_is_closed(serve: Serve, kept: str) -> None:
    with serve(told, Patience(SHORT, LONG, LONG)).connect() as client:
        if kept == "a kept connection":
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        wait_until_closed(client)


@pytest.mark.parametrize("begun", [b"GE", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n"])
def test_who_sends_too_slowly_gets_to_read_408(serve: Serve, begun: bytes) -> None:
    with serve(told, Patience(LONG, SHORT, LONG)).connect(begun) as client:
        answer = everything(client)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == "the request took too long to come whole"


def test_who_has_an_answer_and_is_slow_with_the_next_request_gets_to_read_408(serve: Serve) -> None:
    with serve(told, Patience(LONG, SHORT, LONG)).connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as client:
        assert client.recv(12) == b"HTTP/1.1 200"
        client.sendall(b"GET / HTT")
        assert b"HTTP/1.1 408 Request Timeout\r\n" in everything(client)


@pytest.mark.parametrize("begun", [b"GE", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n"])
def test_who_drips_a_request_is_closed_however_steadily_it_drips(serve: Serve, begun: bytes) -> None:
    started = time.monotonic()
    with serve(told, Patience(LONG, SHORT, LONG)).connect(begun) as client:
        client.settimeout(0.05)
        while time.monotonic() - started < 20:
            try:
                client.sendall(b"x")
                if client.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
    assert SHORT < time.monotonic() - started < 20


def test_who_reads_nothing_is_closed_and_the_work_stops(serve: Serve) -> None:
    app = Stream()
    with serve(app, Patience(LONG, LONG, SHORT)).connect(b"GET / HTTP/1.1\r\n" + CLOSE, window=4096):
        wait_until(lambda: app.closed)


def test_who_waits_for_the_app_is_not_closed(serve: Serve) -> None:
    def late(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        time.sleep(3 * SHORT)  # what is tested: work that takes longer than any patience
        return told(environ, start_response)

    with serve(late, Patience(SHORT, SHORT, SHORT)).connect(b"GET / HTTP/1.1\r\n" + CLOSE) as client:
        assert everything(client).startswith(b"HTTP/1.1 200 OK")


def test_who_reads_slowly_but_reads_is_not_closed(serve: Serve) -> None:
    app = Stream(breaks_after=40)
    got, started = 0, time.monotonic()
    with serve(app, Patience(LONG, LONG, SHORT)).connect(b"GET / HTTP/1.1\r\n" + CLOSE, window=65536) as client:
        while part := client.recv(16384):
            got += len(part)
            time.sleep(0.01)
    assert time.monotonic() - started > SHORT
    assert got > 40 * 65536
