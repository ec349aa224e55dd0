"""The controls under /emulator."""

from __future__ import annotations

from emulator import Emulator
from tests.emulator.client import NOON, Client
from tests.fixtures.waiting import wait_until


def test_the_clock_is_held_set_advanced_and_released(client: Client) -> None:
    december = {"now": "2026-12-01T00:00:00.000Z", "held": True}
    assert client.control("PUT", "/clock", {"now": "2026-12-01T00:00:00Z"}).body == december
    assert client.control("PUT", "/clock", {"advance": 90.5}).body["now"] == "2026-12-01T00:01:30.500Z"
    assert client.control("PUT", "/clock", {"held": False}).body["held"] is False
    assert client.control("GET", "/clock").body["now"].startswith("2026-12-01T00:0")
    assert client.control("PUT", "/clock", {"held": True}).body["held"] is True
    assert client.control("DELETE", "/clock").body["held"] is False


def test_a_running_clock_runs_on_from_where_it_is_set(emulator: Emulator) -> None:
    emulator.clock.release()
    first = emulator.clock.now()
    wait_until(lambda: emulator.clock.now() > first)
    emulator.clock.set(NOON)
    assert not emulator.clock.held
    assert emulator.clock.now() >= NOON
    emulator.clock.hold(NOON)
    assert emulator.clock.now() == NOON


def test_faults_are_planned_listed_and_cleared(client: Client) -> None:
    given = {"kind": "server_503", "times": 2, "tag": "#sre"}
    (planned,) = client.control("PUT", "/faults", {"faults": [given]}).body["faults"]
    told = {**given, "after_pages": 0, "seconds": None, "endpoint": "search"}
    assert planned == {**told, "struck": 0, "left": 2}
    assert client.search("#sre").status == 503
    more = client.control("POST", "/faults", {"kind": "html", "times": None}).body["faults"]
    assert [(one["struck"], one["left"]) for one in more] == [(1, 1), (0, None)]
    assert client.control("DELETE", "/faults").body["faults"] == []
    assert client.search("#sre").status == 200


def test_every_endpoint_and_fault_is_listed_with_what_it_does(client: Client) -> None:
    about = client.control("GET", "").body
    assert about["endpoints"]["GET /2/usage/credits"] == {"name": "credits", "does": "the balance"}
    assert list(about["faults"]) == client.control("GET", "/faults").body["kinds"]
    assert all(about["faults"].values())


def test_requests_are_recorded_without_credentials(emulator: Emulator, client: Client) -> None:
    client.search("#devops", max_results=3)
    client.control("GET", "/clock")
    (request,) = emulator.requests
    assert (request.method, request.path, request.status) == ("GET", "/2/tweets/search/recent", 400)
    assert request.params == {"query": "#devops", "max_results": "3"}
    assert client.control("GET", "/requests").body["requests"][0]["at"] == "2026-11-24T12:00:00.000Z"
    assert "anything" not in repr(emulator.requests)
    emulator.forget_requests()
    assert emulator.requests == []
