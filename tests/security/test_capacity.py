"""More than there are places for waits a moment and is told to come again; what has its own places is never kept waiting."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.exceptions import ClientDisconnected, RequestTimeout, ServiceUnavailable

from security import answers, capacity
from security.capacity import Capacity, RequestBody
from tests.fixtures.service import Service
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until
from tests.resources.conftest import problem


def test_who_waits_gets_a_place_that_is_given_back_and_who_is_too_many_none() -> None:
    places, waited = Capacity(1, waiting=1, seconds=60), threading.Event()
    places.take()
    with ThreadPoolExecutor(1) as pool:
        next_one = pool.submit(places.take)
        next_one.add_done_callback(lambda _: waited.set())
        wait_until(lambda: places._waiting == 1)
        with pytest.raises(ServiceUnavailable):
            places.take()
        assert not waited.is_set()
        places.give_back()
        next_one.result()
    places.give_back()
    places.take()


def test_who_waits_too_long_gets_none() -> None:
    places = Capacity(1, waiting=1, seconds=0.01)
    places.take()
    with pytest.raises(ServiceUnavailable):
        places.take()
    assert places._waiting == 0


@pytest.fixture
def busy(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service, all of whose places for questions and changes are taken."""
    full = Capacity(1, waiting=0, seconds=0)
    full.take()
    capacities = service.app.extensions["capacities"]
    for name in ("_reads", "_changes"):
        monkeypatch.setattr(capacities, name, full)
    return service


def test_health_metrics_and_what_was_answered_before_need_no_place(service: Service, busy: Service) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/static/page.css"):
        assert busy.get(path).status_code == 200, path
    for method, path in (("GET", "/tweets?lang=en"), ("GET", "/view/health"), ("PUT", "/tags/sre"), ("GET", "/database")):
        answer = busy.request(method, path)
        assert problem(answer, 503)["detail"].startswith("too many requests at once")
        assert answer.headers["Retry-After"] == "2"
    assert busy.get("/nothing").status_code == 404


def test_places_are_given_back_whatever_the_answer(service: Service) -> None:
    for _ in range(3):
        for number in range(10):
            service.get(f"/tweets?limit={number - 5}")
            service.request("PUT", f"/tags/{number}")
        service.get("/tweets?format=ndjson")
    assert service.get("/tweets").status_code == 200
    capacities = service.app.extensions["capacities"]
    assert [one._free._value for one in (capacities._reads, capacities._changes, capacities._bodies)] == [8, 8, 32]


def test_a_large_answer_is_whole_in_pieces_and_one_too_many_comes_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = service.get("/openapi.json").content
    monkeypatch.setattr(answers, "LARGE", 1000)
    monkeypatch.setattr(answers, "PIECE", 999)
    assert service.get("/openapi.json").content == whole
    full = service.app.extensions["answers"]._large
    for _ in range(32):
        full.take()
    monkeypatch.setattr(full, "_seconds", 0)
    assert problem(service.get("/openapi.json"), 503)["request_id"]
    for _ in range(32):
        full.give_back()
    assert service.get("/openapi.json").content == whole
    assert full._free._value == 32


class Dripping(io.BytesIO):
    """A body that doesn't come until the connection is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = threading.Event()

    def read(self, _size: int | None = -1) -> bytes:
        self.closing.wait(LONGEST_WAIT_S)
        return b""


def test_a_body_is_read_when_it_is_asked_for_and_one_that_ends_too_early_or_is_too_slow_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = Capacity(1, waiting=0, seconds=0)
    places.take()
    body = RequestBody(io.BytesIO(b"whole"), 5, places)
    with pytest.raises(ServiceUnavailable):
        body.read()
    places.give_back()
    assert body.read() == b"whole"
    with pytest.raises(ClientDisconnected):
        RequestBody(io.BytesIO(b"half"), 5, places).read()
    monkeypatch.setattr(capacity, "BODY_S", 0.01)
    slow = Dripping()
    with pytest.raises(RequestTimeout):
        RequestBody(slow, 5, places).read()
    with pytest.raises(ServiceUnavailable):
        places.take()  # it is held until the connection is closed
    slow.closing.set()
    wait_until(lambda: places._free._value == 1)
    places.take()


def test_a_body_in_chunks_is_refused_for_nobody_could_tell_whether_it_is_whole(service: Service) -> None:
    for path in ("/collections", "/tags/sre", "/nothing"):
        answer = service.request(
            "PUT" if "tags" in path else "POST", path, data=b"{}", headers={"Transfer-Encoding": "chunked"}
        )
        assert problem(answer, 411)["detail"].startswith("a body is taken with its Content-Length")
    assert service.get("/collections").json()["collections"] == []
