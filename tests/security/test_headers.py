"""Every answer tells browsers to run, frame and share nothing; other origins may read if they are listed, and only read."""

from __future__ import annotations

from werkzeug.datastructures import Headers

from tests.fixtures.service import Service
from tests.security.conftest import TOKEN, MakeApp, bearer, client, hollow, routes

EXPECTED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
LISTED = "https://dashboard.example"
ASKED = [
    *(("GET", path) for path in ("/tweets", "/tweets?format=csv", "/tweets?a=", "/docs", "/", "/metrics", "/sign-in")),
    *(("GET", path) for path in ("/static/docs.css", "/static//docs.css", "/nothing", "//tweets", f"/?{'x' * 10_000}")),
    *(
        ("HEAD", "/livez"),
        ("HEAD", "/database"),
        ("OPTIONS", "/tweets"),
        ("POST", "/tweets"),
        ("GET", "/livez"),
        ("GET", "/livez"),
    ),
]
REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    *((method, path, {}) for method, path in ASKED),
    ("GET", "/tweets", {"If-None-Match": "*"}),
    ("GET", "/tweets", {"Host": "elsewhere.example"}),
    ("POST", "/database", {"Origin": "http://elsewhere.example"}),
    *((method, "/tweets", {"Origin": LISTED, "Access-Control-Request-Method": "GET"}) for method in ("GET", "OPTIONS")),
    ("POST", "/database", {"Content-Length": "9000000"}),
]


def assert_secured(headers: Headers) -> None:
    assert {name: headers.getlist(name) for name in EXPECTED} == {name: [value] for name, value in EXPECTED.items()}
    (policy,) = headers.getlist("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert {"frame-ancestors 'none'", "base-uri 'none'"} <= set(policy.split("; "))
    assert headers["X-Request-Id"]
    assert "Server" not in headers
    assert not [name for name, _ in headers if name.lower().startswith("access-control-")]


def test_every_answer_is_secured_whoever_gives_it_and_no_other_origin_may_read_it(service: Service) -> None:
    asking = client(service.app)
    for method, path, headers in REQUESTS:
        assert_secured(asking.open(path, method=method, headers=headers).headers)


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


def test_a_listed_origin_may_change_nothing_and_one_that_looks_like_it_may_not_read(make_app: MakeApp) -> None:
    app = hollow(make_app(CORS_ORIGINS=LISTED))
    made = client(app)
    for route in routes(app):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            ask = {"Origin": LISTED, "Access-Control-Request-Method": method}
            assert "Access-Control-Allow-Methods" not in made.options(route.path, headers=ask).headers
    assert made.get("/database", headers={"Origin": LISTED}).status_code == 403
    assert made.delete("/database", headers={"Origin": LISTED}).status_code == 403
    for origin in (f"{LISTED}.evil.example", f"{LISTED}:444", "null", ""):
        answer = made.get("/tweets", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]
