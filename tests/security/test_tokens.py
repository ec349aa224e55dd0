"""Tokens over HTTP: what is none, or a wrong one, is answered 401 with a challenge, whatever the path."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import serving
from tests.security.conftest import METHODS, REACHED, TOKEN, MakeApp, client, hollow

CHALLENGE = 'Bearer realm="hashtag monitor"'
WRONG = f"{CHALLENGE}, error=invalid_token"
LIKE_OPEN = [
    *("/nothing/here", "/tweets/", "/TWEETS", "//tweets", "/%74weets", "/livez/", "/livez/../tweets", "/livez%2f..%2ftweets"),
    *("/readyz;/tweets", "/LIVEZ", "/favicon.ico", "/static", "/Static/docs.css", "/sign-in/", "/sign-in/x", "/.env"),
    *(f"/tweets?token={TOKEN}", f"/tweets?access_token={TOKEN}", "/tweets?unknown=parameter", "/livez%00", "/%ff"),
]
NO_TOKEN = [
    *("", TOKEN, f"Bearer{TOKEN}", f"Bearer:{TOKEN}", f"Bearer\t{TOKEN}", f"Basic {TOKEN}", f"Bearers {TOKEN}"),
    *("Basic dXNlcjpjb3JyZWN0", f"OAuth oauth_token={TOKEN}", f"\xff\xfe {TOKEN}", f", Bearer {TOKEN}"),
]
WRONG_TOKENS = [
    *("", "wrong", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), f"{TOKEN} and more", f'"{TOKEN}"', f"{TOKEN}\xa0"),
    *(f"Bearer {TOKEN}", f"{TOKEN}, Bearer x", f"{TOKEN},Bearer {TOKEN}", "\xc3\xa9" * 500, "x" * 7000, "<api-token>", "None"),
]


def assert_is_a_401(answer: TestResponse, challenge: str) -> None:
    expected = (challenge, "application/problem+json", "no-store")
    assert answer.status_code == 401
    assert tuple(answer.headers[name] for name in ("WWW-Authenticate", "Content-Type", "Cache-Control")) == expected
    assert answer.headers["X-Request-Id"]
    if answer.data:
        problem = answer.get_json(force=True)
        assert problem.keys() == {"type", "title", "status", "detail", "instance", "request_id", "message"}
        assert (problem["status"], problem["title"], problem["message"]) == (401, "Unauthorized", problem["detail"])
        assert "Authorization: Bearer" in problem["detail"]
        assert problem["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.process
def test_paths_that_look_like_open_ones_and_two_tokens_answer_401_as_the_server_reads_them(
    tmp_path: Path, emulator: Emulator
) -> None:
    with serving(tmp_path, **environment(tmp_path, emulator), API_TOKEN=TOKEN) as server:
        for path in LIKE_OPEN:
            answer = server.raw(f"GET {path} HTTP/1.1")
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, CHALLENGE), path
        for first, second in ((TOKEN, "wrong"), ("wrong", TOKEN), (TOKEN, TOKEN)):
            both = f"Authorization: Bearer {first}\r\nAuthorization: Bearer {second}"
            assert server.raw(f"GET /tweets HTTP/1.1\r\n{both}").status == 401


def test_unknown_paths_answer_401_to_every_method(make_app: MakeApp) -> None:
    made = client(make_app(API_TOKEN=TOKEN))
    for method in METHODS:
        unknown = made.open("/nothing/here", method=method)
        assert_is_a_401(unknown, CHALLENGE)
        assert bool(unknown.data) == (method != "HEAD")


def test_another_scheme_a_malformed_header_and_a_wrong_token_answer_401(make_app: MakeApp) -> None:
    made = client(hollow(make_app(API_TOKEN=TOKEN)))
    for given in [*NO_TOKEN, *(f"Bearer {token}" for token in WRONG_TOKENS)]:
        answer = made.get("/tweets", headers={"Authorization": given})
        assert_is_a_401(answer, CHALLENGE if given in NO_TOKEN else WRONG)
        assert TOKEN not in answer.text


def test_the_right_token_passes_whatever_the_scheme_s_letter_case(make_app: MakeApp) -> None:
    made = client(hollow(make_app(API_TOKEN=TOKEN)))
    for scheme in ("Bearer", "bearer", "BEARER"):
        for value in (f"{scheme} {TOKEN}", f"{scheme}   {TOKEN}  "):
            assert made.get("/tweets", headers={"Authorization": value}).text == REACHED
