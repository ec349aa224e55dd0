"""The log of the served app: request ids, trace ids, and nothing that a query string or a credential says."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.waiting import wait_until

OURS = {"__main__", "access", "api", "app", "collector", "gunicorn", "resources", "server", "telemetry"}
BEARER = "bearer-AAAA%2Fgeheim"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def x() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory, x: Emulator) -> Iterator[Server]:
    """The service with a Bearer token for X, at the chattiest level, after a collection that has met every kind of trouble."""
    folder = tmp_path_factory.mktemp("chatty")
    more = {"TWITTER_BEARER_TOKEN": BEARER, "LOG_LEVEL": "DEBUG", "TW_NUMBER": "10"}
    for kind in ("reset", "server_500", "broken_json"):
        x.plan(kind)
    with serving(folder, **environment(folder, x) | more) as server:
        assert server.get("/database").status_code == 200
        yield server


def records(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def of_request(server: Server, request_id: str, *, message: str = "request") -> dict[str, Any]:
    """Return the one record with this message that the request has left; it may come a moment after the answer."""

    def found() -> list[dict[str, Any]]:
        of_id = [record for record in records(server) if record.get("http", {}).get("request", {}).get("id") == request_id]
        return [record for record in of_id if record["message"] == message]

    (only,) = wait_until(found)
    assert isinstance(only, dict)
    return only


def test_every_line_of_the_served_app_is_one_json_object_with_ecs_fields(chatty: Server) -> None:
    lines = chatty.log.read_text().splitlines()
    assert len(lines) > 10
    for line in lines:
        record = json.loads(line)
        assert isinstance(record["host"], dict)
        assert record.keys() >= {"@timestamp", "message", "ecs", "log", "service", "process"}
        assert not any("." in key for key in record)


def test_at_debug_only_our_own_loggers_and_the_server_s_speak(chatty: Server) -> None:
    for record in records(chatty):
        assert record["log"]["logger"].split(".")[0] in OURS or record["log"]["level"] in ("warning", "error"), record


def test_the_credentials_for_x_are_in_no_line(chatty: Server, x: Emulator) -> None:
    assert x.requests
    log = chatty.log.read_text()
    assert "geheim" not in log
    assert "Authorization" not in log


def test_a_request_s_id_is_on_its_lines_and_the_caller_s_own_is_taken_if_it_is_sane(chatty: Server) -> None:
    answer = chatty.get("/livez")
    event = of_request(chatty, answer.headers["X-Request-Id"])
    assert event["url"] == {"path": "/livez"}
    assert event["http"]["response"]["status_code"] == 200
    assert event["event"]["duration"] > 0
    assert chatty.get("/livez", headers={"X-Request-Id": "caller-7.a_b"}).headers["X-Request-Id"] == "caller-7.a_b"
    assert of_request(chatty, "caller-7.a_b")["http"]["request"]["method"] == "GET"


@pytest.mark.parametrize("given", ["", "x y", '","message":"forged', "-x", "x" * 129, "é", "a\tb", "{}"])
def test_an_id_that_is_not_sane_is_not_taken(chatty: Server, given: str) -> None:
    answer = chatty.get("/livez", headers={"X-Request-Id": given.encode()})
    assert answer.headers["X-Request-Id"] != given
    of_request(chatty, answer.headers["X-Request-Id"])
    assert "forged" not in chatty.log.read_text()


@pytest.mark.parametrize(
    ("traceparent", "trace"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", {"id": TRACE}),
        (f"cc-{TRACE}-00f067aa0ba902b7-00", {"id": TRACE}),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-00f067aa0ba902b7", None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_the_trace_id_of_traceparent_is_on_the_request_s_lines(
    chatty: Server, traceparent: str | None, trace: dict[str, str] | None
) -> None:
    headers = {"traceparent": traceparent} if traceparent else {}
    answer = chatty.get("/tweets", headers=headers)
    assert of_request(chatty, answer.headers["X-Request-Id"]).get("trace") == trace


def test_a_line_that_is_logged_while_a_request_is_served_carries_its_ids_as_well(chatty: Server) -> None:
    headers = {"X-Request-Id": "dropping-1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    assert chatty.request("DELETE", "/database", headers=headers).status_code == 200
    line = of_request(chatty, "dropping-1", message="database has been dropped")
    assert line["trace"] == {"id": TRACE}
    assert line["log"]["logger"] == "resources.database"
    assert of_request(chatty, "dropping-1")["trace"] == {"id": TRACE}


def test_lines_of_a_collection_carry_no_request_s_id(chatty: Server) -> None:
    stored = [record for record in records(chatty) if record["message"] == "page stored"]
    assert len(stored) == 3
    assert not any("http" in record for record in stored)


@pytest.mark.parametrize(
    "target",
    [
        "/tweets?geheim=1",
        "/tweets?order_by_followers_desc=geheim",
        "/nothing?x=geheim",
        "/livez?a=b&c=geheim",
        "/tweets?geheim",
        "/?next=https://x/?y=geheim",
        "/tweets_per_hour?tz=geheim%0d%0aSet-Cookie:x",
    ],
)
def test_a_query_string_is_in_no_line(chatty: Server, target: str) -> None:
    answer = chatty.get(target)
    event = of_request(chatty, answer.headers["X-Request-Id"])
    assert event["url"]["path"] == target.partition("?")[0]
    assert "geheim" not in chatty.log.read_text()


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /tweets?access_token=geheim  HTTP/1.1",
        b"GET /tweets?a=b&c=geheim HTTP/9.9",
        b"G@T /tweets?x=geheim HTTP/1.1",
        b"GET /tweets?x=geheim",
        b"GET /tweets HTTP/1.1\r\nAuthorization Bearer geheim",
        b"GET /tweets HTTP/1.1\r\nX-A: b\r\n Bearer geheim",
    ],
)
def test_a_request_that_the_server_cannot_read_leaves_no_query_string_either(chatty: Server, request_line: bytes) -> None:
    before = len(records(chatty))
    with closing(socket.create_connection(("127.0.0.1", int(chatty.url.rsplit(":", 1)[1])), timeout=20)) as connection:
        connection.sendall(request_line + b"\r\nHost: x\r\n\r\n")
        assert b"geheim" not in connection.recv(20)
    wait_until(lambda: len(records(chatty)) > before)
    assert "geheim" not in chatty.log.read_text()


@pytest.mark.parametrize(
    "path", ["/a%0a%7B%22message%22:%22forged%22%7D", "/a%0d%0ab", "/%1b%5B2J", "/%e2%80%a8x", "/%00", "/%ff%fe"]
)
def test_a_path_cannot_forge_a_line(chatty: Server, path: str) -> None:
    answer = chatty.get(path)
    of_request(chatty, answer.headers["X-Request-Id"])
    text = chatty.log.read_text()
    assert len(text.splitlines()) == text.count('{"@timestamp"') == text.count("\n")
    assert not any(record["message"] == "forged" for record in records(chatty))


def test_a_route_stands_beside_the_path_and_an_unknown_path_has_none(chatty: Server) -> None:
    known = of_request(chatty, chatty.get("/collections/1").headers["X-Request-Id"])
    assert known["monitor"]["route"].startswith("/collections/<")
    assert known["url"]["path"] == "/collections/1"
    unknown = of_request(chatty, chatty.get("/nothing/here").headers["X-Request-Id"])
    assert unknown["monitor"]["route"] is None
