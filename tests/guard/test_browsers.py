"""No page of another site, and no browser that asks ahead, changes anything; who is no browser, or our own page, may."""

from __future__ import annotations

import pytest

from tests.guard.conftest import REACHED, READ_TOKEN, TOKEN, MakeApp, bearer, client, hollow

OLD = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "same-origin, cross-site"},
    {"Sec-Fetch-Site": "something new"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "http://elsewhere.example"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "https://localhost"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://localhost.elsewhere.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://"},
    {"Origin": "file://"},
    {"Origin": "http://localhost:99999"},
]
OWN = [
    {},
    {"User-Agent": "curl/8.5.0"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none", **OLD},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://elsewhere.example"},
    {"Origin": "http://localhost"},
    {"Origin": "http://LOCALHOST:80", **OLD},
]
AHEAD = [
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender", "Sec-Fetch-Site": "none"},
    {"Sec-Purpose": "prefetch;anonymous-client-ip", "Sec-Fetch-Site": "same-origin"},
    {"Purpose": "prefetch"},
    {"X-Moz": "prefetch"},
    {"X-Purpose": "preview"},
]
CHANGES = [("GET", "/database"), ("POST", "/database"), ("DELETE", "/database"), ("PUT", "/tags/x"), ("POST", "/sign-in")]


@pytest.mark.parametrize("headers", FOREIGN + AHEAD, ids=str)
def test_another_sites_page_and_a_browser_that_asks_ahead_change_nothing(make_app: MakeApp, headers: dict[str, str]) -> None:
    app = hollow(make_app(API_TOKEN=TOKEN))
    for method, path in CHANGES:
        answer = client(app).open(path, method=method, headers=headers | bearer(TOKEN))
        assert (answer.status_code, answer.content_type) == (403, "application/problem+json"), (method, path)


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_our_own_pages_and_who_is_no_browser_may(make_app: MakeApp, headers: dict[str, str]) -> None:
    app = hollow(make_app())
    for method, path in CHANGES:
        assert client(app).open(path, method=method, headers=headers).text == REACHED, (method, path)


@pytest.mark.parametrize("headers", FOREIGN + AHEAD, ids=str)
def test_reading_is_no_change_wherever_it_comes_from(make_app: MakeApp, headers: dict[str, str]) -> None:
    app = hollow(make_app())
    assert client(app).get("/tweets", headers=headers).text == REACHED
    assert client(app).head("/tweets", headers=headers).status_code == 200


def test_a_browser_that_does_not_say_where_it_comes_from_collects_only_with_a_token(make_app: MakeApp) -> None:
    """So it is on http:// beyond loopback, where browsers send neither Sec-Fetch-Site nor, with a GET, Origin."""
    app = hollow(make_app(API_TOKEN=TOKEN, API_READ_TOKEN=READ_TOKEN))
    session = app.wsgi_app.sessions.begun(TOKEN)  # type: ignore[attr-defined]
    signed_in = {"Cookie": f"hashtag_monitor_session={session}"}
    assert client(app).get("/database", headers=OLD | signed_in).status_code == 403
    assert client(app).get("/database", headers=OLD | bearer(TOKEN)).text == REACHED
    assert client(app).post("/database", headers=OLD | signed_in).text == REACHED
    assert client(app).get("/tweets", headers=OLD | signed_in).text == REACHED


def test_without_tokens_such_a_browser_does_not_collect_either(make_app: MakeApp) -> None:
    app = hollow(make_app(ALLOW_OPEN="1"))
    assert client(app).get("/database", headers=OLD).status_code == 403
    assert client(app).delete("/database", headers=OLD).text == REACHED  # a browser says Origin with it
