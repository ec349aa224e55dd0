"""What the reception makes of requests and answers: bodies, streams, what can't be read, and its leaving."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import IncompleteRead
from typing import Any

import pytest

from guard.failures import HOLD
from server import reception
from server.parsing import LARGEST_BODY, LARGEST_HEADERS
from server.reception import USUAL, Reception
from tests.fixtures.reception import everything
from tests.fixtures.waiting import wait_until
from tests.server.conftest import Clock, Serve, channels

Environ = dict[str, Any]
Start = Callable[..., Any]
Logs = pytest.LogCaptureFixture
CLOSE = b"Host: x\r\nConnection: close\r\n\r\n"
GET, KEPT = b"GET / HTTP/1.1\r\n" + CLOSE, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PART = b"x" * 65536


def told(environ: Environ, start_response: Start) -> list[bytes]:
    """Answer with what the app is told of a request."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    names = ("REMOTE_ADDR", "HTTP_HOST", "PATH_INFO", "QUERY_STRING", "wsgi.url_scheme", "HTTP_TRANSFER_ENCODING")
    facts = {name: environ.get(name) for name in names} | {"length": length, "read": len(environ["wsgi.input"].read())}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(facts).encode()]


class Stream:
    """An app that streams without end, or until it breaks, and notes how its generators end."""

    def __init__(self, *, breaks_after: int | None = None) -> None:
        self.breaks_after, self.begun, self.closed = breaks_after, 0, 0

    def __call__(self, environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return self._parts()

    def _parts(self) -> Iterator[bytes]:
        self.begun += 1
        sent = 0
        try:
            while sent != self.breaks_after:
                yield PART
                sent += 1
            raise RuntimeError("the disk has gone")
        finally:
            self.closed += 1


def test_an_answer_names_no_server_and_leaves_the_connection_open(serve: Serve) -> None:
    with closing(serve(told).http()) as client:
        for path in ("/a?b=%20c", "/second"):
            client.request("GET", path, headers={"X-Forwarded-For": "192.0.2.1"})
            answer = client.getresponse()
            facts = json.loads(answer.read())
            assert set(answer.headers) == {"Content-Type", "Content-Length", "Date"}
            assert facts["PATH_INFO"] + "?" + facts["QUERY_STRING"] in ("/a?b=%20c", "/second?")
            assert (facts["REMOTE_ADDR"], facts["wsgi.url_scheme"]) == ("127.0.0.1", "http")


def test_neither_a_stream_nor_an_answer_without_a_body_is_a_connections_last(serve: Serve) -> None:
    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response(environ["PATH_INFO"][1:].replace("-", " "), [("Content-Type", "text/plain")])
        return iter([b"one", b"two"] if environ["PATH_INFO"].startswith("/200") else [])

    with closing(serve(app).http()) as client:
        for status, body in ((304, b""), (200, b"onetwo"), (204, b""), (200, b"onetwo")):
            client.request("GET", f"/{status}-Some")
            first = client.sock
            answer = client.getresponse()
            assert (answer.status, answer.read(), answer.headers["Connection"]) == (status, body, None)
            assert client.sock is first
    with serve(app).connect(b"HEAD /200-Some HTTP/1.1\r\n" + CLOSE) as head:
        assert everything(head).count(b"\r\n\r\n") == 1  # and no byte of a stream


def test_who_asks_for_it_or_speaks_http_1_0_gets_a_connections_last_answer(serve: Serve) -> None:
    for sent in (GET, GET.replace(b"close", b"TE, close"), b"GET / HTTP/1.0\r\n\r\n"):
        with closing(serve(told).connect(sent)) as client:
            assert b"\r\nConnection: close\r\n" in everything(client)


def test_a_body_with_two_lengths_is_refused_and_the_connection_closed(serve: Serve) -> None:
    served = serve(told)
    chunked, three, smuggled = "Transfer-Encoding: chunked\r\n", "Content-Length: 3\r\n", KEPT.replace(b"/ ", b"/smuggled ")
    for version, lengths in ((1, chunked + three), (1, three + chunked), (1, three + "Content-Length: 4\r\n"), (0, chunked)):
        sent = f"POST / HTTP/1.{version}\r\n{lengths}Host: x\r\n\r\n0\r\n\r\n".encode()
        with served.connect(sent + smuggled) as client:
            answer = everything(client)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1 ") == 1


def test_the_host_of_a_whole_url_counts_and_what_is_no_url_is_no_error_of_ours(serve: Serve, caplog: Logs) -> None:
    served = serve(told)
    whole = served.answer(b"GET http://elsewhere.example:81/a HTTP/1.1\r\n" + CLOSE)
    assert json.loads(whole.body)["HTTP_HOST"] == "elsewhere.example:81"
    for url in ("http://[/tags", "http://[evil]:80/tags", "http://[::1/", "//[x"):
        assert served.answer(f"GET {url} HTTP/1.1\r\n".encode() + CLOSE).status in (400, 200)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_refusal_keeps_a_sane_id_and_a_head_has_no_body(serve: Serve) -> None:
    with serve(told).connect(b"HEAD / HTTP/1.1\r\nX-Request-Id: mine-1\r\nContent-Length: 99000000\r\n" + CLOSE) as client:
        answer = everything(client)
    assert b"\r\nX-Request-Id: mine-1\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_requests_that_come_together_are_held_back_one_after_the_other(serve: Serve) -> None:
    def app(environ: Environ, start_response: Start) -> list[bytes]:
        environ[HOLD](0.1)
        return told(environ, start_response)

    started = time.monotonic()
    with serve(app).connect(KEPT * 3 + GET) as client:
        assert everything(client).count(b"HTTP/1.1 200 OK") == 4
    assert time.monotonic() - started >= 4 * 0.1


def test_while_all_connections_are_taken_the_oldest_of_who_has_the_most_give_way(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 60
    monkeypatch.setattr(reception, "CONNECTIONS", limit)
    monkeypatch.setattr(reception, "ROOM", 20)
    monkeypatch.setitem(reception.ADJUSTMENTS, "connection_limit", limit)
    served = serve(told)
    with ExitStack() as stack:
        neighbour = stack.enter_context(served.connect(KEPT, address="127.0.0.9"))
        assert neighbour.recv(12) == b"HTTP/1.1 200"
        half = [stack.enter_context(served.connect(b"GET / HTTP/1.1\r\nX-")) for _ in range(2 * limit)]
        assert served.answer(GET).status == 200
        assert half[0].recv(1) == b""
        neighbour.sendall(GET)
        assert everything(neighbour).count(b"HTTP/1.1 200 OK") == 1


def test_answers_that_are_held_back_hold_up_nobody_else(serve: Serve, clock: Clock) -> None:
    held, others = USUAL.reading / 2, 2 * reception.THREADS

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        if environ["PATH_INFO"] == "/held":
            environ[HOLD](held)
        return told(environ, start_response)

    served = serve(app)
    with ExitStack() as stack:
        waiting = [stack.enter_context(served.connect(b"GET /held HTTP/1.1\r\n" + CLOSE)) for _ in range(others)]
        wait_until(lambda: all(channel._held_until for channel in channels(served, others)))
        assert served.answer(GET).status == 200
        clock.forward(held)
        assert all(everything(one).startswith(b"HTTP/1.1 200 OK") for one in waiting)


def test_a_body_in_chunks_comes_with_its_length_and_the_largest_is_read_whole(serve: Serve) -> None:
    with closing(serve(told).http()) as client:
        client.request("POST", "/", body=iter([b"x" * 70_000] * 3), encode_chunked=True)
        facts = json.loads(client.getresponse().read())
        assert (facts["length"], facts["read"], facts["HTTP_TRANSFER_ENCODING"]) == (210_000, 210_000, None)
        client.request("POST", "/", body=b"x" * LARGEST_BODY)
        assert json.loads(client.getresponse().read())["read"] == LARGEST_BODY


def test_who_sends_far_too_much_gets_to_read_413(serve: Serve) -> None:
    for body in (PART * 64, iter([PART] * 64)):
        with closing(serve(told).http()) as client:
            client.request("POST", "/", body=body, encode_chunked=not isinstance(body, bytes))
            answer = client.getresponse()
            assert (answer.status, answer.headers["Connection"]) == (413, "close")
            assert json.loads(answer.read())["detail"] == "the body is too large"


def test_who_asks_first_may_send_a_small_body_and_is_told_413_before_sending_a_large_one(serve: Serve) -> None:
    ask = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {}\r\n"
    served = serve(told)
    with served.connect(ask.format(8 * LARGEST_BODY).encode() + CLOSE) as client:
        assert everything(client).startswith(b"HTTP/1.1 413 ")
    with served.connect(ask.format(3).encode() + CLOSE) as client:
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert b'"read": 3' in everything(client)


def test_a_chunk_whose_line_never_ends_is_given_up(serve: Serve) -> None:
    with serve(told).connect(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n5;") as client:
        client.sendall(b"x" * (2 * LARGEST_BODY + 100_000))
        assert everything(client).startswith(b"HTTP/1.1 413 ")


UNREADABLE = [
    (b"nonsense\r\n\r\n", 400),
    (b"G@T /geheim HTTP/1.1\r\n\r\n", 400),
    (b"GET /geheim HTTP/1.1\r\nno colon geheim\r\n\r\n", 400),
    (b"GET /geheim HTTP/1.1\r\nContent-Length: geheim\r\n\r\n", 400),
    (b"POST /geheim HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\ngeheim\r\n", 400),
    (b"POST /geheim HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"GET /geheim HTTP/1.1\r\nX: " + b"x" * LARGEST_HEADERS, 431),
    (b"GET /geheim" + b"x" * LARGEST_HEADERS, 431),
    (b"GET /geheim HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 6_000 + b"\r\n", 431),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
]


def test_what_can_not_be_read_is_a_problem_and_leaves_nothing_in_the_log(serve: Serve, caplog: Logs) -> None:
    caplog.set_level(logging.DEBUG)
    served = serve(told)
    for request, status in UNREADABLE:
        caplog.clear()
        answer = served.answer(request)
        problem = json.loads(answer.body)
        assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json"), request[:40]
        assert (answer.headers["Connection"], answer.headers["X-Request-Id"]) == ("close", problem["request_id"])
        assert (problem["status"], problem["message"]) == (status, problem["detail"])
        (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert record.__dict__["request_id"] == problem["request_id"]
        assert "geheim" not in repr(record.__dict__)


def test_a_stream_that_breaks_has_no_last_chunk_and_without_chunks_is_reset(serve: Serve, caplog: Logs) -> None:
    app = Stream(breaks_after=3)
    with closing(serve(app).http()) as client:
        client.request("GET", "/geheim")
        answer = client.getresponse()
        with pytest.raises(IncompleteRead) as cut:
            answer.read()
    assert cut.value.partial == PART * 3
    assert app.closed == 1
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "the disk has gone" in str(record.exc_info)
    assert "geheim" not in record.getMessage()
    with serve(app).connect(b"GET / HTTP/1.0\r\n\r\n") as client, pytest.raises(ConnectionResetError):
        everything(client)


def test_a_client_that_goes_away_stops_the_work_and_is_no_error_of_the_service(serve: Serve, caplog: Logs) -> None:
    app = Stream()
    for version in (b"1.0", b"1.1"):
        with serve(app).connect(GET.replace(b"1.1", version)) as client:
            client.recv(1000)
    wait_until(lambda: app.closed == 2)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


class Held:
    """An app that answers when it is let."""

    def __init__(self) -> None:
        self.begun, self.let = threading.Event(), threading.Event()

    def __call__(self, environ: Environ, start_response: Start) -> list[bytes]:
        self.begun.set()
        self.let.wait(20)
        return told(environ, start_response)


def test_when_it_leaves_idle_connections_are_closed_and_what_is_in_flight_is_answered(serve: Serve) -> None:
    app = Held()
    served = serve(app)
    with served.connect() as idle, served.connect(KEPT) as busy:
        app.begun.wait(20)
        served.leave()
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", served.port))
        assert not served.over()
        app.let.set()
        answer = everything(busy)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nConnection: close\r\n")
    wait_until(served.over)


def test_when_it_leaves_a_request_that_has_begun_may_be_sent_to_its_end(serve: Serve) -> None:
    served = serve(told)
    with served.connect() as idle, served.connect(b"POST / HTTP/1.1\r\nContent-Length: 6\r\nHost: x\r\n\r\nabc") as slow:
        wait_until(lambda: any(channel.request for channel in served.reception._channels()))
        served.leave()
        assert idle.recv(1) == b""
        slow.sendall(b"def")
        assert b'"read": 6' in everything(slow)
    wait_until(served.over)


def test_who_stands_at_the_door_when_it_leaves_is_let_in(serve: Serve) -> None:
    app = Held()
    app.let.set()
    listener = socket.create_server(("127.0.0.1", 0))
    reception = Reception(app, listener)
    with socket.create_connection(listener.getsockname(), timeout=20) as waiting:
        waiting.sendall(KEPT)
        reception.leave()
        while reception.busy:
            reception.turn()
        assert everything(waiting).startswith(b"HTTP/1.1 200 OK")
    reception.close()
