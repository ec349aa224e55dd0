"""Who dawdles is closed: by saying nothing, by sending slowly, or by not reading. Who waits for the app is not."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest

from server.reception import ADJUSTMENTS, THREADS
from tests.fixtures.reception import everything
from tests.fixtures.waiting import wait_until
from tests.server.conftest import Clock, Serve, channels
from tests.server.test_reception import CLOSE, GET, KEPT, PART, Environ, Held, Start, Stream, told

LONG = 61  # everybody has a minute
BEGUN = [b"GE", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n"]


def test_who_says_nothing_is_closed_on_a_new_connection_and_on_a_kept_one(serve: Serve, clock: Clock) -> None:
    served = serve(told)
    with served.connect() as new, served.connect(KEPT) as kept:
        assert kept.recv(12) == b"HTTP/1.1 200"
        channels(served, 2)
        clock.forward_until(lambda: not served.reception._channels(), seconds=LONG)
        assert everything(new) == b""
        everything(kept)


@pytest.mark.parametrize("before", [b"", KEPT])
@pytest.mark.parametrize("begun", BEGUN)
def test_who_sends_too_slowly_gets_to_read_408_however_steadily_it_drips(
    serve: Serve, clock: Clock, begun: bytes, before: bytes
) -> None:
    served = serve(told)
    with served.connect(before) as client:
        assert not before or client.recv(12) == b"HTTP/1.1 200"
        client.sendall(begun)
        channels(served, 1, begun=True)
        for _ in range(2):
            clock.forward(LONG / 3)
            client.sendall(b"x")
        clock.forward(LONG / 3)
        answer = everything(client)
    head, _, body = answer[answer.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"\r\nConnection: close\r\n" in head
    assert json.loads(body)["detail"] == "the request took too long to come whole"


def test_who_waits_for_the_app_is_not_closed(serve: Serve, clock: Clock) -> None:
    app = Held()
    served = serve(app)
    with served.connect() as silent, served.connect(GET) as client:
        assert app.begun.wait(60)
        channels(served, 2)
        clock.forward(100 * LONG)
        assert silent.recv(1) == b""  # so dawdlers have been looked for
        app.let.set()
        assert everything(client).startswith(b"HTTP/1.1 200 OK")


def test_who_reads_slowly_but_reads_is_not_closed(serve: Serve, clock: Clock) -> None:
    served = serve(Stream(), room=65536)
    with served.connect(GET, window=65536) as client:
        (channel,) = channels(served, 1)
        for _ in range(5):
            clock.forward(LONG * 2 / 3)
            before = channel.last_activity
            while channel.last_activity == before:
                assert client.recv(16384)


def test_slow_clients_of_every_kind_hold_up_nobody_take_bounded_memory_and_are_closed_in_the_end(
    serve: Serve, clock: Clock
) -> None:
    app, readers = Stream(), 2 * THREADS

    def both(environ: Environ, start_response: Start) -> object:
        return (app if environ["PATH_INFO"] == "/stream" else told)(environ, start_response)

    served = serve(both)
    with ExitStack() as stack:
        for begun in BEGUN * 10:
            stack.enter_context(served.connect(begun))
        channels(served, 30, begun=True)
        for _ in range(readers):
            stack.enter_context(served.connect(b"GET /stream HTTP/1.1\r\n" + CLOSE, window=4096))
        wait_until(lambda: app.begun == readers)
        for _ in range(20):
            assert served.answer(GET).status == 200
        most = ADJUSTMENTS["outbuf_high_watermark"] + 2 * len(PART)
        assert max(channel.total_outbufs_len for channel in served.reception._channels()) <= most
        clock.forward_until(lambda: not served.reception._channels(), seconds=LONG)
        wait_until(lambda: app.closed == readers)
        assert served.answer(GET).status == 200
