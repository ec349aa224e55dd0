"""Signing in: a right token gives a session that is short, signed and of the token's own scope; nothing else does."""

from __future__ import annotations

import base64
import hashlib
import re
from http.cookies import SimpleCookie
from typing import Any

import pytest
from flask import Flask
from itsdangerous import TimestampSigner

from security import tokens
from security.browsers import SESSION
from security.tokens import SESSION_S, SLEEP
from tests.security.conftest import METRICS_TOKEN, READ_TOKEN, TOKEN, MakeApp, client, hollow

OURS = {"Sec-Fetch-Site": "same-origin"}
ELSEWHERE = [
    *("https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example/", "/\telsewhere.example", "elsewhere", ""),
    *("/\r\nSet-Cookie: a=b", "javascript:alert(1)", '/"><script>alert(1)</script>\n', "/\u202egpj"),
    *("/database", "/%64atabase?x=1", "/tweets", "/nothing", "/view/nothing", "/view/..%2fdatabase", "/view/%5c../database"),
    *("/view/../database", "/view/%2e%2e/database", "/view/.%2E/database", "/view/%252e%252e/database", "/view//database"),
    *("/./view/tags", "/view/tags/..", "/view/tags/../../database", "/view/tags%2f..%2f..%2fdatabase"),
]


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(API_TOKEN=TOKEN, API_READ_TOKEN=READ_TOKEN, METRICS_TOKEN=METRICS_TOKEN)


def signed_in(app: Flask, token: str = TOKEN, **more: str) -> Any:
    return client(app).post("/sign-in", data={"token": token, **more}, headers=OURS)


def cookie(app: Flask, token: str = TOKEN) -> str:
    morsel = SimpleCookie(signed_in(app, token).headers["Set-Cookie"])[SESSION]
    return f"{SESSION}={morsel.value}"


def status(app: Flask, session: str, path: str = "/tags", method: str = "GET") -> int:
    return client(app).open(path, method=method, headers=OURS | {"Cookie": session}).status_code


def test_a_right_token_gives_a_cookie_that_scripts_and_other_sites_never_get(app: Flask) -> None:
    answer = signed_in(app)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert answer.headers["Cache-Control"] == "no-store"
    morsel = SimpleCookie(answer.headers["Set-Cookie"])[SESSION]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "Strict", "/")
    assert morsel["domain"] == ""
    assert int(morsel["max-age"]) == SESSION_S <= 12 * 3600
    assert TOKEN not in morsel.value
    assert base64.b64encode(TOKEN.encode())[:12].decode() not in morsel.value


def test_a_session_may_what_its_token_may(app: Flask) -> None:
    sessions_of = hollow(app).extensions["guard"].sessions
    write, read = (f"{SESSION}={sessions_of.start(token)}" for token in (TOKEN, READ_TOKEN))
    for path in ("/tags", "/", "/docs", "/metrics", "/openapi.json"):
        assert status(app, write, path) == status(app, read, path) == 200
    assert status(app, write, "/database", "DELETE") == 200
    assert status(app, read, "/database", "DELETE") == 403
    assert status(app, read, "/database") == 403


def test_no_other_token_gives_one_and_the_page_says_so(app: Flask) -> None:
    wrong: Any = ("", " ", "wrong", METRICS_TOKEN, TOKEN.upper(), f"{TOKEN}x", "\ud800".encode("utf-8", "surrogatepass"))
    for token in wrong:
        answer = signed_in(app, token)
        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert answer.content_type.startswith("text/html")
        assert "This token is wrong" in answer.text
        assert METRICS_TOKEN not in answer.text


def test_a_session_ends_with_its_token(make_app: MakeApp, app: Flask) -> None:
    session = cookie(app)
    other = make_app(API_TOKEN="another-token-0123456789")
    assert status(other, session) == 401
    assert status(make_app(API_TOKEN=TOKEN), session) == 200  # another process, with the same token


def test_a_session_that_somebody_wrote_or_changed_is_none(app: Flask) -> None:
    name, _, value = cookie(app).partition("=")
    what, when, mac = value.split(".")
    forged = [f"{what}.{when}.{wrong}" for wrong in ("", mac[:-1], mac.swapcase())]
    forged += [f"other.{when}.{mac}", f"{what}.zzzzzz.{mac}", f"{what}..{mac}", f"{value}x", value * 50]
    for value in [*forged, "", ".", "..", TOKEN, f"Bearer {TOKEN}", "\x80\xff"]:
        assert status(app, f"{name}={value}") == 401, value
    assert status(app, f"other{name}={what}.{when}.{mac}") == 401


def test_other_cookies_of_this_machine_and_others_of_its_name_do_not_get_in_the_way(app: Flask) -> None:
    session = cookie(app)
    for other in ('grafana_session=1; x={"a": "b, c"}', "=; ;;", 'a="unfinished', "ü=ö"):
        assert status(app, f"{other}; {session}".encode().decode("latin-1")) == 200
    assert status(app, f"{SESSION}=another.path.s; {session}") == 200
    assert status(app, f"{session}; {SESSION}=") == 200


def test_a_cookie_that_no_token_has_signed_is_a_wrong_token(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """A guess at a token can be tried by signing a session with it."""
    held: list[float] = []
    guess = TimestampSigner("guess", salt=SESSION, key_derivation="hmac", digest_method=hashlib.sha256).sign("session").decode()
    for path in ("/tags", "/", "/docs"):
        client(app).get(path, headers={"Cookie": f"{SESSION}={guess}"}, environ_overrides={SLEEP: held.append})
    assert len(held) == 3
    assert held == sorted(held)
    assert [record.message for record in caplog.records if record.message == "wrong token"]


def test_a_session_ends_by_itself_which_is_no_failure_and_it_is_taken_away(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[float] = []
    session = cookie(app)
    assert status(app, session) == 200
    monkeypatch.setattr(tokens, "SESSION_S", -1)
    assert status(app, session) == 401
    answer = client(app).get("/docs", headers={"Cookie": session}, environ_overrides={SLEEP: held.append})
    assert (answer.status_code, held) == (303, [])
    assert SimpleCookie(answer.headers["Set-Cookie"])[SESSION]["max-age"] == "0"


def test_a_session_counts_beside_the_credentials_that_a_proxy_asks_for_but_not_beside_a_wrong_token(app: Flask) -> None:
    for given, expected in (("Basic dXNlcjpwYXNzd29yZA==", 200), ("Bearer wrong", 401)):
        assert client(app).get("/tags", headers={"Cookie": cookie(app), "Authorization": given}).status_code == expected


def test_who_opens_a_page_is_sent_to_sign_in_and_back(app: Flask) -> None:
    answer = client(app).get("/docs?tag=%23sre&a=b")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?next=/docs%3Ftag%3D%2523sre%26a%3Db"
    form = client(app).get(answer.headers["Location"])
    wanted = re.search(r'name="next" value="([^"]*)"', form.text)
    assert wanted
    back = signed_in(app, next=wanted[1].replace("&amp;", "&"))
    assert back.headers["Location"] == "/docs?tag=%23sre&a=b"


def test_nobody_is_sent_to_another_site_or_to_what_is_no_page(app: Flask) -> None:
    for elsewhere in ELSEWHERE:
        assert signed_in(app, next=elsewhere).headers["Location"] == "/"
        assert 'name="next" value="/"' in client(app).get("/sign-in", query_string={"next": elsewhere}).text


def test_signing_out_takes_the_cookie_away_and_without_tokens_there_is_none(make_app: MakeApp, app: Flask) -> None:
    answer = client(app).post("/sign-out", headers=OURS | {"Cookie": cookie(app)})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert SimpleCookie(answer.headers["Set-Cookie"])[SESSION]["max-age"] == "0"
    answer = client(make_app()).get("/sign-in?next=/docs")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/docs")
