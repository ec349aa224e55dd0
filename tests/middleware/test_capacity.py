"""More than there are places for waits a moment and is told to come again; what has its own places is never kept waiting."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.exceptions import ClientDisconnected, ServiceUnavailable

from middleware import answers
from middleware.capacity import LARGEST_BODY, Body, Capacity
from tests.fixtures.service import Service
from tests.fixtures.waiting import wait_until
from tests.resources.conftest import problem


def test_who_waits_gets_a_place_that_is_given_back_and_who_is_too_many_none() -> None:
    capacity, waited = Capacity(1, waiting=1, seconds=60), threading.Event()
    capacity.take()
    with ThreadPoolExecutor(1) as pool:
        next_one = pool.submit(capacity.take)
        next_one.add_done_callback(lambda _: waited.set())
        wait_until(lambda: capacity._waiting == 1)
        with pytest.raises(ServiceUnavailable):
            capacity.take()
        assert not waited.is_set()
        capacity.give_back()
        next_one.result()
    capacity.give_back()
    capacity.take()


def test_who_waits_too_long_gets_none() -> None:
    capacity = Capacity(1, waiting=1, seconds=0.01)
    capacity.take()
    with pytest.raises(ServiceUnavailable):
        capacity.take()
    assert capacity._waiting == 0


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
        assert problem(answer, 503)["detail"].startswith("too much is asked at once")
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
    assert [one._free._value for one in (capacities._reads, capacities._changes, capacities._bodies)] == [8, 8, 8]


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


def test_a_body_is_read_when_it_is_asked_for_and_one_that_ends_too_early_is_refused() -> None:
    places = Capacity(1, waiting=0, seconds=0)
    places.take()
    body = Body(io.BytesIO(b"whole"), 5, places)
    with pytest.raises(ServiceUnavailable):
        body.read()
    places.give_back()
    assert body.read() == b"whole"
    with pytest.raises(ClientDisconnected):
        Body(io.BytesIO(b"half"), 5, places).read()
    assert len(Body(io.BytesIO(bytes(2 * LARGEST_BODY)), None, places).read()) == LARGEST_BODY + 1
    places.take()
