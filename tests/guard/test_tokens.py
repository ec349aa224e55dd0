"""Tokens, over HTTP, against the served app."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from emulator import Emulator
from guard.scopes import OPEN_PATHS, is_open
from settings import load
from tests.fixtures.environment import environment
from tests.fixtures.loggers import logging_restored
from tests.fixtures.processes import Server, serving

TOKEN = "correct-horse_battery.staple~9"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
CHALLENGE = 'Bearer realm="hashtag monitor"'
WRONG_CHALLENGE = f"{CHALLENGE}, error=invalid_token"
PLACES = count(2)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.fixture(scope="module")
def x() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, x: Emulator) -> Iterator[Server]:
    """The service with a token."""
    folder = tmp_path_factory.mktemp("guarded")
    with serving(folder, **environment(folder, x), API_TOKEN=TOKEN, TW_NUMBER="10", LOG_LEVEL="DEBUG") as server:
        yield server


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Every method and path of the app, with something in the place of each variable part."""
    folder = tmp_path_factory.mktemp("routes")
    settings = load({"DATABASE_URL": f"sqlite:///{folder}/x.db", "TWITTER_API_URL": "http://127.0.0.1:9"}, folder=folder)
    with logging_restored():
        app = create_app(settings)
        app.extensions["collector"].close()
    found = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<int:\w+>", "1", rule.rule)
        found += [(method, re.sub(r"<[^>]+>", "x", path)) for method in sorted(rule.methods or ())]
    assert ("GET", "/tweets") in found
    return found


def sent(server: Server, method: str, path: str, *headers: tuple[str, bytes]) -> tuple[int, dict[str, str], bytes]:
    """Send a request with exactly these headers, and return the answer's status, headers and body."""
    place = (f"127.0.0.{next(PLACES)}", 0)  # who fails often waits for the answer, and each of these fails once
    port = int(server.url.rsplit(":", 1)[1])
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=place)) as connection:
        connection.putrequest(method, path)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def is_a_page(path: str) -> bool:
    return path in ("/", "/docs") or path.startswith("/view/")


def assert_is_a_401(status: int, headers: dict[str, str], body: bytes, *, challenge: str, head: bool = False) -> None:
    assert status == 401
    assert headers["www-authenticate"] == challenge
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    assert headers["x-request-id"]
    if head:
        assert body == b""
        return
    problem: dict[str, Any] = json.loads(body)
    assert problem.keys() == {"type", "title", "status", "detail", "instance", "request_id", "message"}
    assert (problem["status"], problem["title"], problem["message"]) == (401, "Unauthorized", problem["detail"])
    assert "Authorization: Bearer" in problem["detail"]
    assert problem["request_id"] == headers["x-request-id"]


def test_every_route_and_method_answers_401_without_a_token(guarded: Server, routes: list[tuple[str, str]]) -> None:
    closed = {asked for asked in routes if not is_open(asked[1])}
    assert len({path for _, path in closed}) >= 6
    pages = {(method, path) for method, path in closed if method in ("GET", "HEAD") and is_a_page(path)}
    assert {path for _, path in pages} > {"/", "/docs", "/view/collections"}
    for method, path in sorted(closed - pages):
        assert_is_a_401(*sent(guarded, method, path), challenge=CHALLENGE, head=method == "HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing/here",
        "/tweets/",
        "/TWEETS",
        "//tweets",
        "/%74weets",
        "/livez/",
        "/livez/../tweets",
        "/livez%2f..%2ftweets",
        "/readyz;/tweets",
        "/LIVEZ",
        "/favicon.ico",
        "/static",
        "/Static/docs.css",
        "/sign-in/",
        "/sign-in/x",
        "/.env",
        "/tweets?token=" + TOKEN,
        "/tweets?access_token=" + TOKEN,
        "/tweets?unknown=parameter",
        "/livez%00",
        "/\xff",
    ],
)
def test_paths_that_are_unknown_or_look_like_open_ones_answer_401(guarded: Server, path: str) -> None:
    raw = path.encode("latin-1").decode("latin-1")
    target = "".join(char if char.isascii() else f"%{ord(char):02x}" for char in raw)
    assert_is_a_401(*sent(guarded, "GET", target), challenge=CHALLENGE)


def test_every_method_of_an_unknown_path_answers_401(guarded: Server) -> None:
    for method in METHODS:
        assert_is_a_401(*sent(guarded, method, "/nothing/here"), challenge=CHALLENGE, head=method == "HEAD")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Bearer",
        TOKEN.encode(),
        b"Bearer" + TOKEN.encode(),
        b"Bearer:" + TOKEN.encode(),
        b"Bearer\t" + TOKEN.encode(),
        b"Basic " + TOKEN.encode(),
        b"Basic dXNlcjpjb3JyZWN0LWhvcnNlX2JhdHRlcnkuc3RhcGxlfjk=",
        b"Token " + TOKEN.encode(),
        b"Bearers " + TOKEN.encode(),
        b"OAuth oauth_token=" + TOKEN.encode(),
        b"\xff\xfe " + TOKEN.encode(),
        b", Bearer " + TOKEN.encode(),
    ],
)
def test_another_scheme_or_a_malformed_header_answers_401(guarded: Server, value: bytes) -> None:
    status, headers, body = sent(guarded, "GET", "/tweets", ("Authorization", value))
    wrong = value == b"Bearer"  # the scheme is right, the token is empty
    assert_is_a_401(status, headers, body, challenge=WRONG_CHALLENGE if wrong else CHALLENGE)


@pytest.mark.parametrize(
    "given",
    [
        b"wrong",
        TOKEN[:-1].encode(),
        TOKEN.encode() + b"x",
        TOKEN.upper().encode(),
        TOKEN.encode() + b" and more",
        b'"' + TOKEN.encode() + b'"',
        b"Bearer " + TOKEN.encode(),
        TOKEN.encode() + b"\xa0",
        TOKEN.encode() + b", Bearer x",
        b"\xc3\xa9" * 500,
        b"x" * 7000,
        b"[hidden]",
        b"<api-token>",
        b"None",
    ],
)
def test_a_wrong_token_answers_401_and_says_so(guarded: Server, given: bytes) -> None:
    answer = sent(guarded, "GET", "/tweets", ("Authorization", b"Bearer " + given))
    assert_is_a_401(*answer, challenge=WRONG_CHALLENGE)
    assert TOKEN.encode() not in answer[2]


def test_two_authorization_headers_are_no_token_even_if_one_is_right(guarded: Server) -> None:
    right, wrong = ("Authorization", f"Bearer {TOKEN}".encode()), ("Authorization", b"Bearer wrong")
    assert sent(guarded, "GET", "/tweets", wrong, right)[0] == 401
    assert sent(guarded, "GET", "/tweets", right, wrong)[0] == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_right_token_passes_whatever_the_scheme_s_letter_case(guarded: Server, scheme: str) -> None:
    assert sent(guarded, "GET", "/tweets", ("Authorization", f"{scheme} {TOKEN}".encode()))[0] == 200
    assert sent(guarded, "GET", "/tweets", ("Authorization", f"{scheme}   {TOKEN}  ".encode()))[0] == 200


def test_with_the_right_token_routes_answer_as_if_unguarded(guarded: Server) -> None:
    assert guarded.get("/", headers=RIGHT).status_code == 200
    assert guarded.get("/nothing/here", headers=RIGHT).status_code == 404
    assert guarded.request("PUT", "/tweets", headers=RIGHT).status_code == 405
    assert guarded.get("/tweets", headers=RIGHT, params={"unknown": "1"}).status_code == 400


def test_the_open_paths_stay_open_with_no_token_and_with_a_wrong_one(guarded: Server) -> None:
    assert {"/livez", "/readyz"} <= OPEN_PATHS
    for path in ("/livez", "/readyz"):
        assert guarded.get(path).status_code == 200
        assert guarded.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 200


def test_a_refused_request_changes_nothing_and_asks_x_for_nothing(guarded: Server, x: Emulator) -> None:
    assert guarded.get("/database", headers=RIGHT).status_code == 200
    before, asked = guarded.get("/tweets", headers=RIGHT).json(), len(x.requests)
    assert before["tweets"]
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        for method in ("GET", "POST", "DELETE"):
            assert guarded.request(method, "/database", headers=headers).status_code == 401
    assert guarded.get("/tweets", headers=RIGHT).json() == before
    assert len(x.requests) == asked


def test_the_right_token_is_not_locked_out_by_wrong_ones_before(guarded: Server) -> None:
    for number in range(10):
        assert guarded.get("/tweets", headers={"Authorization": f"Bearer wrong{number}"}).status_code == 401
    assert guarded.get("/tweets", headers=RIGHT).elapsed.total_seconds() < 1


def test_the_token_is_in_no_answer_and_in_no_log_line(guarded: Server) -> None:
    port = int(guarded.url.rsplit(":", 1)[1])
    malformed = (
        f"GET /tweets?access_token={TOKEN}  HTTP/1.1\r\n\r\n",
        f"GET /tweets HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {TOKEN}\r\n\r\n",
        f"GET /tweets HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer {TOKEN}\r\n\r\n",
        f"GET /tweets HTTP/1.1\r\nHost: x\r\nA: b\r\n Authorization: Bearer {TOKEN}\r\n\r\n",
    )
    for request in malformed:
        with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
            connection.sendall(request.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 4")
    answers = [
        guarded.get("/tweets", headers=RIGHT),
        guarded.get("/tweets", headers=RIGHT, params={"access_token": TOKEN}),
        guarded.get("/nothing", headers=RIGHT),
        guarded.get("/tweets", headers={"Authorization": f"Basic {TOKEN}"}),
        guarded.get("/tweets", params={"access_token": TOKEN}),
        guarded.request("DELETE", "/database", headers=RIGHT),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 404, 401, 401, 200]
    for answer in answers:
        assert TOKEN not in answer.text + str(answer.headers)
    log = guarded.log.read_text()
    assert log.count('"message":"request"') > 50
    assert "request refused unread" in log
    assert TOKEN not in log


def test_a_token_from_a_file_guards_as_one_from_the_environment_does(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    settings = load({"API_TOKEN_FILE": str(secret), "DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}, folder=tmp_path)
    app = create_app(settings)
    with closing(app.extensions["collector"]) as collector:
        collector.prepare()
        assert app.test_client().get("/tweets").status_code == 401
        assert app.test_client().get("/tweets", headers=RIGHT).status_code == 200
