"""The log of the served app: request ids, trace ids, and nothing that a query string or a credential says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process

OURS = {"__main__", "access", "api", "app", "collector", "resources", "server", "telemetry"}
BEARER = "bearer-AAAA%2Fgeheim"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def x() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory, x: Emulator, database_backend: str) -> Iterator[Service]:
    """The service with a Bearer token for X, at the chattiest level, after a collection that has met every kind of trouble."""
    folder = tmp_path_factory.mktemp("chatty")
    more = {"TWITTER_BEARER_TOKEN": BEARER, "LOG_LEVEL": "DEBUG", "TW_NUMBER": "10"}
    for kind in ("reset", "server_500", "broken_json"):
        x.plan(kind)
    with in_process(folder, **environment(folder, x) | more) as service:
        assert service.get("/database").status_code == 200
        yield service


def records(service: Service) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.log.read_text().splitlines()]


def of_request(service: Service, request_id: str, *, message: str = "request") -> dict[str, Any]:
    """Return the one record with this message that the request has left."""
    of_id = [record for record in records(service) if record.get("http", {}).get("request", {}).get("id") == request_id]
    (only,) = [record for record in of_id if record["message"] == message]
    return only


def test_every_line_is_one_ecs_object_of_our_own_loggers_without_the_credentials_for_x(chatty: Service, x: Emulator) -> None:
    """At DEBUG; in lines of a collection, which carry no request's id."""
    assert x.requests
    for record in records(chatty):
        assert isinstance(record["host"], dict)
        assert record.keys() >= {"@timestamp", "message", "ecs", "log", "service", "process"}
        assert not any("." in key for key in record)
        assert record["log"]["logger"].split(".")[0] in OURS or record["log"]["level"] in ("warning", "error"), record
    assert [record for record in records(chatty) if record["message"] == "page stored" and "http" not in record]
    log = chatty.log.read_text()
    assert "geheim" not in log
    assert "Authorization" not in log


def test_a_request_s_id_is_on_its_lines_and_the_caller_s_own_is_taken_if_it_is_sane(chatty: Service) -> None:
    assert chatty.get("/livez", headers={"X-Request-Id": "caller-7.a_b"}).headers["X-Request-Id"] == "caller-7.a_b"
    event = of_request(chatty, "caller-7.a_b")
    assert event["url"] == {"path": "/livez"}
    assert (event["http"]["request"]["method"], event["http"]["response"]["status_code"]) == ("GET", 200)
    assert event["event"]["duration"] > 0
    for given in ("", "x y", '","message":"forged', "-x", "x" * 129, "é", "a\tb", "{}"):
        answer = chatty.get("/livez", headers={"X-Request-Id": given.encode()})
        assert answer.headers["X-Request-Id"] != given
        of_request(chatty, answer.headers["X-Request-Id"])
    assert "forged" not in chatty.log.read_text()


def test_the_trace_id_of_traceparent_is_on_the_request_s_lines(chatty: Service) -> None:
    for traceparent, trace in (
        (f"00-{TRACE}-00f067aa0ba902b7-01", {"id": TRACE}),
        (f"cc-{TRACE}-00f067aa0ba902b7-00", {"id": TRACE}),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-00f067aa0ba902b7", None),
        ("nonsense", None),
        (None, None),
    ):
        answer = chatty.get("/tweets", headers={"traceparent": traceparent} if traceparent else {})
        assert of_request(chatty, answer.headers["X-Request-Id"]).get("trace") == trace


def test_a_line_that_is_logged_while_a_request_is_served_carries_its_ids_as_well(chatty: Service) -> None:
    headers = {"X-Request-Id": "dropping-1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    assert chatty.request("DELETE", "/database", headers=headers).status_code == 200
    line = of_request(chatty, "dropping-1", message="database has been dropped")
    assert line["trace"] == {"id": TRACE}
    assert line["log"]["logger"] == "resources.database"
    assert of_request(chatty, "dropping-1")["trace"] == {"id": TRACE}


def test_a_query_string_is_in_no_line(chatty: Service) -> None:
    wrong = ("/?next=https://x/?y=geheim", "/tweets_per_hour?tz=geheim%0d%0aSet-Cookie:x")
    for target in ("/tweets?geheim=1", "/nothing?x=geheim", "/livez?a=b&c=geheim", "/tweets?geheim", *wrong):
        event = of_request(chatty, chatty.get(target).headers["X-Request-Id"])
        assert event["url"]["path"] == target.partition("?")[0]
    assert "geheim" not in chatty.log.read_text()


def test_a_path_cannot_forge_a_line(chatty: Service) -> None:
    for path in ("/a%0a%7B%22message%22:%22forged%22%7D", "/a%0d%0ab", "/%1b%5B2J", "/%e2%80%a8x", "/%00", "/%ff%fe"):
        of_request(chatty, chatty.get(path).headers["X-Request-Id"])
    text = chatty.log.read_text()
    assert len(text.splitlines()) == text.count('{"@timestamp"') == text.count("\n")
    assert not any(record["message"] == "forged" for record in records(chatty))


def test_a_file_that_is_sent_as_it_is_leaves_its_event_as_well(chatty: Service) -> None:
    for encoding in ("gzip", "identity"):
        answer = chatty.get("/static/docs.css", headers={"Accept-Encoding": encoding})
        event = of_request(chatty, answer.headers["X-Request-Id"])
        assert event["http"]["response"]["body"]["bytes"] == int(answer.headers["Content-Length"])


def test_a_route_stands_beside_the_path_and_an_unknown_path_has_none(chatty: Service) -> None:
    known = of_request(chatty, chatty.get("/collections/1").headers["X-Request-Id"])
    assert known["monitor"]["route"].startswith("/collections/<")
    assert known["url"]["path"] == "/collections/1"
    unknown = of_request(chatty, chatty.get("/nothing/here").headers["X-Request-Id"])
    assert unknown["monitor"]["route"] is None
