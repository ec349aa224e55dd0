"""No page of another site, and no browser that asks ahead, changes anything; who is no browser, or our own page, may."""

from __future__ import annotations

from security.guard import PRICE
from tests.security.conftest import REACHED, TOKEN, MakeApp, bearer, client, hollow

OLD = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
FOREIGN = [
    *({"Sec-Fetch-Site": site} for site in ("cross-site", "same-site", "", "same-origin, cross-site", "something new")),
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    *({"Origin": f"http://{origin}"} for origin in ("elsewhere.example", "localhost:8080", "localhost:99999", "")),
    *({"Origin": origin} for origin in ("http://localhost.elsewhere.example", "https://localhost", "null", "", "file://")),
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


def test_another_sites_page_and_a_browser_that_asks_ahead_may_read_and_change_nothing(make_app: MakeApp) -> None:
    made = client(hollow(make_app(API_TOKEN=TOKEN)))
    for headers in FOREIGN + AHEAD:
        for method, path in CHANGES:
            answer = made.open(path, method=method, headers=headers | bearer(TOKEN))
            if method == "GET" and "Sec-Purpose" in headers:
                assert (answer.status_code, answer.headers["Location"]) == (303, PRICE)
                continue
            assert (answer.status_code, answer.content_type) == (403, "application/problem+json"), (headers, method, path)
        assert made.get("/tweets", headers=headers | bearer(TOKEN)).text == REACHED
        assert made.head("/tweets", headers=headers | bearer(TOKEN)).status_code == 200


def test_who_opens_the_address_is_led_to_the_price_with_or_without_tokens(make_app: MakeApp) -> None:
    """A link that somebody sends, the sign-in that leads on, the address bar: none of them buys anything."""
    opened = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", **OLD}
    guarded, unguarded = hollow(make_app(API_TOKEN=TOKEN)), hollow(make_app())
    session = {"Cookie": f"hashtag_monitor_session={guarded.extensions['guard'].sessions.start(TOKEN)}"}
    for app, headers in (
        (unguarded, opened),
        (guarded, opened | session),
        (guarded, session),
        (guarded, opened | bearer(TOKEN)),
        (guarded, session | {"Authorization": "Basic Zm9vOmJhcg=="}),  # as a proxy asks for
        (guarded, session | {"Authorization": "Basic Zm9vOmJhcg==", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}),
    ):
        answer = client(app).get("/database", headers=headers)
        assert (answer.status_code, answer.headers["Location"]) == (303, PRICE)
    assert client(unguarded).get("/database", headers=opened | {"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client(guarded).get("/database", headers=bearer(TOKEN) | session).text == REACHED
    assert client(guarded).post("/database", headers=session).text == REACHED


def test_our_own_pages_and_who_is_no_browser_may(make_app: MakeApp) -> None:
    made = client(hollow(make_app()))
    for headers in OWN:
        for method, path in CHANGES:
            assert made.open(path, method=method, headers=headers).text == REACHED, (headers, method, path)


def test_a_browser_that_does_not_say_where_it_comes_from_collects_only_with_a_token(make_app: MakeApp) -> None:
    """So it is on http:// beyond loopback, where browsers send neither Sec-Fetch-Site nor, with a GET, Origin."""
    app, unguarded = hollow(make_app(API_TOKEN=TOKEN)), client(hollow(make_app(ALLOW_OPEN="1")))
    session = app.extensions["guard"].sessions.start(TOKEN)
    signed_in = {"Cookie": f"hashtag_monitor_session={session}"}
    assert client(app).get("/database", headers=OLD | signed_in).headers["Location"] == PRICE
    assert client(app).get("/database", headers=OLD | bearer(TOKEN)).text == REACHED
    assert client(app).post("/database", headers=OLD | signed_in).text == REACHED
    assert client(app).get("/tweets", headers=OLD | signed_in).text == REACHED
    assert unguarded.get("/database", headers=OLD).status_code == 403
    assert unguarded.delete("/database", headers=OLD).text == REACHED  # a browser says Origin with it
