"""Every answer tells browsers to run, frame and share nothing; other origins may read if they are listed, and only read."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.guard.conftest import METHODS, TOKEN, MakeApp, bearer, client, hollow, routes

EXPECTED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
LISTED = "https://dashboard.example"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("headers")
    with Emulator() as x, serving(folder, **environment(folder, x)) as server:
        yield server


def assert_secured(headers: http.client.HTTPMessage) -> None:
    assert {name: headers.get_all(name) for name in EXPECTED} == {name: [value] for name, value in EXPECTED.items()}
    (policy,) = headers.get_all("Content-Security-Policy", [])
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert headers["X-Request-Id"]
    assert headers["Server"] is None
    assert not [name for name in headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /tweets HTTP/1.1",
        "GET /tweets?format=csv HTTP/1.1",
        "GET /docs HTTP/1.1",
        "GET / HTTP/1.1",
        "GET /metrics HTTP/1.1",
        "GET /static/docs.css HTTP/1.1",
        "GET /nothing HTTP/1.1",
        "HEAD /livez HTTP/1.1",
        "HEAD /database HTTP/1.1",
        "OPTIONS /tweets HTTP/1.1",
        "POST /tweets HTTP/1.1",
        "GET //tweets HTTP/1.1",
        "GET /static//docs.css HTTP/1.1",
        "GET /sign-in HTTP/1.1",
        "GET /tweets?a= HTTP/1.1",
        f"GET /{'x' * 40_000} HTTP/1.1",
        f"GET /?{'x' * 10_000} HTTP/1.1",
        "GET /tweets HTTP/1.1\r\nIf-None-Match: *",
        "GET /tweets HTTP/1.1\r\nHost: elsewhere.example",
        "POST /database HTTP/1.1\r\nOrigin: http://elsewhere.example",
        "POST /database HTTP/1.1\r\nContent-Length: 9000000",
        "POST /database HTTP/1.1\r\nTransfer-Encoding: gzip",
        "no request at all",
    ],
    ids=lambda line: line[:40],
)
def test_every_answer_is_secured_whoever_gives_it(served: Server, request_line: str) -> None:
    with closing(socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), timeout=20)) as connection:
        connection.sendall(f"{request_line}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert_secured(answer.headers)


def test_no_other_origin_may_read_unless_it_is_listed(make_app: MakeApp) -> None:
    made = client(hollow(make_app(API_TOKEN=TOKEN)))
    for method in METHODS:
        ask = {"Origin": LISTED, "Access-Control-Request-Method": "GET"}
        answer = made.open("/tweets", method=method, headers=ask | bearer(TOKEN))
        assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118 (of Werkzeug's)


def test_a_listed_origin_may_read_with_a_token_and_see_why_it_is_refused(make_app: MakeApp) -> None:
    made = client(hollow(make_app(API_TOKEN=TOKEN, CORS_ORIGINS=f"{LISTED}, http://localhost:3000")))
    origin = {"Origin": LISTED}
    asked = made.options("/tweets", headers=origin | {"Access-Control-Request-Method": "GET"})
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (204, LISTED)
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    assert asked.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert asked.headers["X-Request-Id"]
    for status, headers in ((200, bearer(TOKEN)), (401, {})):
        answer = made.get("/tweets", headers=origin | headers)
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, LISTED)
        assert "Origin" in answer.headers["Vary"]
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_listed_origin_may_change_nothing(make_app: MakeApp) -> None:
    app = hollow(make_app(CORS_ORIGINS=LISTED))
    made = client(app)
    for route in routes(app):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            ask = {"Origin": LISTED, "Access-Control-Request-Method": method}
            assert "Access-Control-Allow-Methods" not in made.options(route.path, headers=ask).headers
    assert made.get("/database", headers={"Origin": LISTED}).status_code == 403
    assert made.delete("/database", headers={"Origin": LISTED}).status_code == 403


@pytest.mark.parametrize("origin", ["https://dashboard.example.evil.example", "https://dashboard.example:444", "null", ""])
def test_an_origin_that_only_looks_like_a_listed_one_is_not(make_app: MakeApp, origin: str) -> None:
    made = client(hollow(make_app(CORS_ORIGINS=LISTED)))
    answer = made.get("/tweets", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origins", ["dashboard.example", "https://dashboard.example/", "https://a.example/b", "*", "null"])
def test_what_is_no_origin_is_refused_at_the_start(make_app: MakeApp, origins: str) -> None:
    with pytest.raises(Exception, match="CORS_ORIGINS"):
        make_app(CORS_ORIGINS=origins)
