"""The controls under /emulator."""

from __future__ import annotations

from datetime import datetime

import pytest

from emulator import Emulator
from tests.emulator.conftest import Client


def test_it_says_what_it_is(client: Client) -> None:
    about = client.control("GET", "").body
    assert about["seed"] == 1
    assert about["clock"] == {"now": "2026-11-24T12:00:00.000Z", "held": True}
    assert about["settings"]["bearer_limit"] == 450


def test_the_clock_is_held_set_advanced_and_released(emulator: Emulator, client: Client) -> None:
    assert client.control("PUT", "/clock", {"now": "2026-12-01T00:00:00Z"}).body == {
        "now": "2026-12-01T00:00:00.000Z",
        "held": True,
    }
    assert client.control("PUT", "/clock", {"advance": 90.5}).body["now"] == "2026-12-01T00:01:30.500Z"
    assert client.control("PUT", "/clock", {"held": False}).body["held"] is False
    assert client.control("GET", "/clock").body["now"].startswith("2026-12-01T00:0")
    assert client.control("PUT", "/clock", {"held": True}).body["held"] is True
    assert client.control("DELETE", "/clock").body["held"] is False


def test_a_running_clock_runs_on_from_where_it_is_set(emulator: Emulator, noon: datetime) -> None:
    emulator.clock.release()
    first = emulator.clock.now()
    while emulator.clock.now() == first:
        pass
    emulator.clock.set(noon)
    assert not emulator.clock.held
    assert emulator.clock.now() >= noon
    emulator.clock.hold(noon)
    assert emulator.clock.now() == noon


def test_the_latency_can_be_set(emulator: Emulator, client: Client) -> None:
    assert client.control("PUT", "/latency", {"seconds": 0.01}).body == {"seconds": 0.01}
    assert emulator.latency == 0.01
    assert client.search("#devops").status == 200


def test_faults_are_planned_listed_and_cleared(client: Client) -> None:
    planned = client.control("PUT", "/faults", {"faults": [{"kind": "server_503", "times": 2, "tag": "#sre"}]}).body["faults"]
    assert planned == [
        {
            "kind": "server_503",
            "times": 2,
            "tag": "#sre",
            "after_pages": 0,
            "seconds": None,
            "endpoint": "search",
            "struck": 0,
            "left": 2,
        }
    ]
    assert client.search("#sre").status == 503
    more = client.control("POST", "/faults", {"kind": "html", "times": None}).body["faults"]
    assert [(one["struck"], one["left"]) for one in more] == [(1, 1), (0, None)]
    assert client.control("DELETE", "/faults").body["faults"] == []
    assert client.search("#sre").status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/clock", {"now": "soon"}),
        ("PUT", "/clock", {"advance": "far"}),
        ("PUT", "/clock", {"colour": 1}),
        ("PUT", "/clock", {"now": "2090-01-01T00:00:00Z"}),
        ("PUT", "/clock", {"advance": 1e300}),
        ("PUT", "/clock", {"advance": float("nan")}),
        ("PUT", "/clock", {"advance": -9e9}),
        ("PUT", "/latency", {"seconds": -1}),
        ("PUT", "/latency", None),
        ("PUT", "/faults", [{"kind": "earthquake"}]),
        ("PUT", "/faults", [{"kind": "html", "when": 1}]),
        ("PUT", "/faults", [{"kind": "html", "times": -1}]),
        ("PUT", "/faults", [{"kind": "html", "tag": 5}]),
        ("PUT", "/faults", [7]),
    ],
)
def test_nonsense_is_refused_with_a_reason(client: Client, method: str, path: str, body: object) -> None:
    reply = client.control(method, path, body)
    assert (reply.status, reply.body["title"]) == (400, "Bad Request")
    assert reply.body["detail"]


def test_unknown_controls_are_404_and_wrong_methods_405(client: Client) -> None:
    assert client.control("GET", "/nothing").status == 404
    assert client.control("POST", "/clock").headers["allow"] == "DELETE, GET, PUT"


def test_a_name_that_is_not_this_machine_is_refused(client: Client) -> None:
    assert client.send("GET", "/emulator", headers={"Host": "evil.example"}).status == 403
    assert client.send("GET", "/emulator", headers={"Host": "["}).status == 403
    assert client.send("GET", "/emulator", headers={"Host": "localhost:1"}).status == 200


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
