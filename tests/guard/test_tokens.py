"""Tokens over HTTP: what is none, or a wrong one, is answered 401 with a challenge, whatever the path."""

from __future__ import annotations

from http.client import HTTPMessage
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from tests.fixtures.reception import Served
from tests.guard.conftest import METHODS, REACHED, TOKEN, MakeApp, bearer, client, hollow

CHALLENGE = 'Bearer realm="hashtag monitor"'
WRONG = f"{CHALLENGE}, error=invalid_token"
LIKE_OPEN = [
    *("/nothing/here", "/tweets/", "/TWEETS", "//tweets", "/%74weets", "/livez/", "/livez/../tweets", "/livez%2f..%2ftweets"),
    *("/readyz;/tweets", "/LIVEZ", "/favicon.ico", "/static", "/Static/docs.css", "/sign-in/", "/sign-in/x", "/.env"),
    *(f"/tweets?token={TOKEN}", f"/tweets?access_token={TOKEN}", "/tweets?unknown=parameter", "/livez%00", "/%ff"),
]
NO_TOKEN = [
    *(
        "",
        TOKEN,
        f"Bearer{TOKEN}",
        f"Bearer:{TOKEN}",
        f"Bearer\t{TOKEN}",
        f"Basic {TOKEN}",
        f"Token {TOKEN}",
        f"Bearers {TOKEN}",
    ),
    *("Basic dXNlcjpjb3JyZWN0", f"OAuth oauth_token={TOKEN}", f"\xff\xfe {TOKEN}", f", Bearer {TOKEN}"),
]
WRONG_TOKENS = [
    *(
        "",
        "wrong",
        TOKEN[:-1],
        f"{TOKEN}x",
        TOKEN.upper(),
        f"{TOKEN} and more",
        f'"{TOKEN}"',
        f"Bearer {TOKEN}",
        f"{TOKEN}\xa0",
    ),
    *(f"{TOKEN}, Bearer x", f"{TOKEN},Bearer {TOKEN}", "\xc3\xa9" * 500, "x" * 7000, "[hidden]", "<api-token>", "None"),
]


def assert_is_a_401(status: int, headers: Headers | HTTPMessage, problem: dict[str, Any] | None, challenge: str) -> None:
    assert status == 401
    assert headers["WWW-Authenticate"] == challenge
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Request-Id"]
    if problem is not None:
        assert problem.keys() == {"type", "title", "status", "detail", "instance", "request_id", "message"}
        assert (problem["status"], problem["title"], problem["message"]) == (401, "Unauthorized", problem["detail"])
        assert "Authorization: Bearer" in problem["detail"]
        assert problem["request_id"] == headers["X-Request-Id"]


def test_paths_that_are_unknown_or_look_like_open_ones_answer_401(make_app: MakeApp) -> None:
    with Served(hollow(make_app(API_TOKEN=TOKEN))) as served:
        for path in LIKE_OPEN:
            answer = served.answer(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, CHALLENGE), path


def test_every_method_of_an_unknown_path_answers_401(make_app: MakeApp) -> None:
    made = client(make_app(API_TOKEN=TOKEN))
    for method in METHODS:
        answer = made.open("/nothing/here", method=method)
        assert_is_a_401(
            answer.status_code, answer.headers, None if method == "HEAD" else answer.get_json(force=True), CHALLENGE
        )
        assert not answer.data or method != "HEAD"


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [(NO_TOKEN, CHALLENGE), ([f"Bearer {token}" for token in WRONG_TOKENS], WRONG)],
    ids=["none", "wrong"],
)
def test_another_scheme_a_malformed_header_and_a_wrong_token_answer_401(
    make_app: MakeApp, headers: list[str], challenge: str
) -> None:
    made = client(hollow(make_app(API_TOKEN=TOKEN)))
    for given in headers:
        answer = made.get("/tweets", headers={"Authorization": given})
        assert_is_a_401(answer.status_code, answer.headers, answer.get_json(force=True), challenge)
        assert TOKEN not in answer.text


def test_two_authorization_headers_are_no_token_even_if_one_is_right(make_app: MakeApp) -> None:
    with Served(hollow(make_app(API_TOKEN=TOKEN))) as served:
        for first, second in ((TOKEN, "wrong"), ("wrong", TOKEN), (TOKEN, TOKEN)):
            both = f"Authorization: Bearer {first}\r\nAuthorization: Bearer {second}\r\n"
            assert served.answer(f"GET /tweets HTTP/1.1\r\nHost: localhost\r\n{both}\r\n".encode()).status == 401


def test_the_right_token_passes_whatever_the_scheme_s_letter_case(make_app: MakeApp) -> None:
    made = client(hollow(make_app(API_TOKEN=TOKEN)))
    for scheme in ("Bearer", "bearer", "BEARER"):
        for value in (f"{scheme} {TOKEN}", f"{scheme}   {TOKEN}  "):
            assert made.get("/tweets", headers={"Authorization": value}).text == REACHED


def test_with_the_right_token_routes_answer_as_if_unguarded(make_app: MakeApp) -> None:
    made = client(make_app(API_TOKEN=TOKEN))
    for method, path, status in (
        ("GET", "/", 200),
        ("GET", "/nothing/here", 404),
        ("PUT", "/tweets", 405),
        ("GET", "/tweets?unknown=1", 400),
    ):
        assert made.open(path, method=method, headers=bearer(TOKEN)).status_code == status
