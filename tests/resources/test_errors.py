"""Every error has one shape, in production mode, on every path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from alchemy import Database
from emulator import Emulator
from resources.limits import QUERY_LENGTH
from tests.fixtures import databases
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving

KEYS = {"type", "title", "status", "detail", "instance", "request_id", "message"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("errors")
    with Emulator() as emulator, serving(folder, **environment(folder, emulator)) as server:
        yield server


def problem(answer: requests.Response, status: int) -> dict[str, Any]:
    """Check what all problems have in common, and return the body."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body.keys() >= KEYS
    assert body["status"] == status
    assert body["message"] == body["detail"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert not any(word in answer.text for word in ("Traceback", "SELECT", "sqlite", "psycopg", "/work", ".py"))
    return body


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/tweets/",
        "/tweets/x/y",
        "/collections/999",
        "/collections/x",
        "/collections/9223372036854775808",
        "/%ff",
        "/..%2f",
    ],
)
def test_unknown_paths_are_404(service: Server, path: str) -> None:
    problem(service.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/tweets", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/tweets_per_hour", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", "/database", {"GET", "POST", "DELETE", "OPTIONS"}),
        ("PATCH", "/", {"GET", "HEAD", "OPTIONS"}),
        ("BREW", "/livez", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_other_methods_are_405_with_allow(service: Server, method: str, path: str, allowed: set[str]) -> None:
    answer = service.request(method, path)
    problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_head_of_database_neither_collects_nor_pays(service: Server) -> None:
    answer = service.request("HEAD", "/database")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert service.get("/readyz").json()["last_collection"] is None


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/tweets?limt=5", "limt"),
        ("/tweets?order_by_followers_desc=0", "order_by_followers_desc"),
        ("/tweets?order_by_followers_desc=1001", "order_by_followers_desc"),
        ("/tweets?order_by_followers_desc=-5", "order_by_followers_desc"),
        ("/tweets?order_by_followers_desc=5.0", "order_by_followers_desc"),
        ("/tweets?order_by_followers_desc=%D9%A5", "order_by_followers_desc"),
        ("/tweets?order_by_followers_desc=", "order_by_followers_desc"),
        ("/tweets?order_by_followers_desc=5&order_by_followers_desc=6", "order_by_followers_desc"),
        ("/tweets_per_hour?tz=Mars/Olympus", "tz"),
        ("/tweets_per_hour?tz=../../etc/passwd", "tz"),
        ("/tweets_per_hour?tz=localtime", "tz"),
        ("/tweets_per_tag?x=1", "x"),
        ("/database?force=1", "force"),
        ("/livez?x=1", "x"),
    ],
)
def test_bad_parameters_are_400_and_named(service: Server, path: str, parameter: str) -> None:
    body = problem(service.get(path), 400)
    assert [error["parameter"] for error in body["errors"]] == [parameter]
    assert body["errors"][0]["detail"]


def test_all_bad_parameters_are_named_at_once(service: Server) -> None:
    body = problem(service.get("/tweets?a=1&b=2"), 400)
    assert [error["parameter"] for error in body["errors"]] == ["a", "b"]


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/html", "application/*", "text/html,application/xhtml+xml"])
def test_json_is_given_to_who_accepts_it(service: Server, accept: str) -> None:
    assert service.get("/tweets_per_hour", headers={"Accept": accept}).headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("accept", ["text/plain;version=0.0.4", "application/openmetrics-text; version=1.0.0", "*/*"])
def test_metrics_are_given_to_who_names_a_version(service: Server, accept: str) -> None:
    assert service.get("/metrics", headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize("path", ["/tweets", "/database", "/tweets_per_tag"])
def test_what_can_not_be_given_is_406_before_anything_is_done(service: Server, path: str) -> None:
    problem(service.get(path, headers={"Accept": "application/xml"}), 406)


def test_a_body_that_is_too_large_is_413(service: Server) -> None:
    answer = service.request("POST", "/database", data=b"x" * (1024 * 1024 + 1))
    problem(answer, 413)


def test_a_body_that_does_not_say_its_length_is_413_as_well(service: Server) -> None:
    problem(service.request("POST", "/database", data=iter([b"x" * 65536] * 32)), 413)


def test_a_query_string_that_is_too_long_is_414_on_every_path(service: Server) -> None:
    for path in ("/tweets", "/livez", "/nothing/here"):
        problem(service.get(f"{path}?q={'x' * QUERY_LENGTH}"), 414)
    assert service.get(f"/tweets?{'x' * QUERY_LENGTH}").status_code == 400


def test_a_sane_request_id_is_kept_and_another_is_replaced(service: Server) -> None:
    assert service.get("/livez", headers={"X-Request-Id": "abc-123.x"}).headers["X-Request-Id"] == "abc-123.x"
    for odd in ("a b", "x" * 129, "<script>"):
        assert service.get("/livez", headers={"X-Request-Id": odd}).headers["X-Request-Id"] != odd


def test_a_locked_database_is_503_with_retry_after(server: Server, tmp_path: Path) -> None:
    with closing(Database(databases.url_of(tmp_path))) as other, other.writing() as session:
        session.connection()
        answer = server.get("/database")
        assert problem(answer, 503)["detail"] == "the database is busy"
        assert int(answer.headers["Retry-After"]) > 0
        assert server.get("/tweets").status_code == 200


def test_a_database_that_is_gone_is_503(server: Server, tmp_path: Path) -> None:
    for table in ("quarters", "tweet_tags", "versions", "tweets"):
        others = "" if databases.current == "sqlite" else " CASCADE"
        databases.asked(databases.url_of(tmp_path), f"DROP TABLE {table}{others}")
    for path in ("/tweets", "/tweets_per_hour", "/readyz", "/database"):
        answer = server.get(path)
        problem(answer, 503)
        assert answer.headers["Retry-After"]
    assert server.get("/livez").status_code == 200
