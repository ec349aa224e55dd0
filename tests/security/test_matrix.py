"""Every route and method, for every token, address and kind of client: who is let in is what the contract says.

The routes are the app's own, so that a new one is in the matrix from its first day.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient

from security.guard import CHANGING
from tests.security.conftest import METHODS, METRICS_TOKEN, REACHED, READ_TOKEN, TOKEN, MakeApp, Route, client, hollow, routes

OPEN = ("/livez", "/readyz", "/sign-in", "/sign-out", "/static/<path:filename>")
PAGES = ("/", "/docs", "/view/")
"""Pages, and where all paths are pages."""
CHANGES = {
    *((method, "/database") for method in ("GET", "POST", "DELETE")),
    *((method, "/tags/<tag>") for method in ("PUT", "DELETE")),
    *(("DELETE", path) for path in ("/tweets/<tweet_id>", "/authors/<username>")),
    *(("POST", path) for path in ("/collections", "/view/collections", "/view/tags", "/view/tags/<tag>")),
    ("POST", "/view/tags/<tag>/untrack"),
    *((method, path) for method in ("PUT", "DELETE") for path in ("/schedule", "/views/<path:view>")),
    *(("POST", path) for path in ("/backfills", "/view/schedule", "/view/backfill", "/view/backfill/counts")),
    *((method, "/watches/<watch>") for method in ("PUT", "DELETE")),
    ("POST", "/watches/<watch>/test"),
    *(("POST", "/feeds"), ("DELETE", "/feeds/<int(max=2147483647):feed_id>")),
    *(("POST", f"/view/refresh{rest}") for rest in ("", "/cancel", "/on")),
    *(("POST", path) for path in ("/view/saved", "/view/saved/delete")),
    *(("POST", f"/view/watches{rest}") for rest in ("", "/<name>/test", "/<name>/pause", "/<name>/delete")),
    *(("POST", f"/view/feeds{rest}") for rest in ("", "/revoke")),
    *(("POST", path) for path in ("/sign-in", "/sign-out")),
}
SAMPLES = ("/", "/tweets", "/metrics", "/livez", "/view/<path:path>", "/static/<path:filename>")
"""A page, an answer of the API, and what has rules of its own."""
CREDENTIALS = {
    "no token": None,
    "write": f"Bearer {TOKEN}",
    "read": f"Bearer {READ_TOKEN}",
    "scrape": f"Bearer {METRICS_TOKEN}",
    "wrong": "Bearer no-such-token",
    "malformed": f"Basic {TOKEN}",
}
ADDRESSES = {"loopback": "127.0.0.1", "other": "192.0.2.7"}
CLIENTS: dict[str, dict[str, str]] = {
    "curl": {"Host": "localhost", "User-Agent": "curl/8.5.0"},
    "same-origin browser": {"Host": "localhost", "User-Agent": "Mozilla/5.0", "Sec-Fetch-Site": "same-origin"},
    "same-origin old browser": {"Host": "localhost", "User-Agent": "Mozilla/5.0", "Origin": "http://localhost"},
    "cross-site browser": {"Host": "localhost", "User-Agent": "Mozilla/5.0", "Sec-Fetch-Site": "cross-site"},
    "cross-site old browser": {"Host": "localhost", "User-Agent": "Mozilla/5.0", "Origin": "http://elsewhere.example"},
    "rebound Host": {"Host": "elsewhere.example", "User-Agent": "Mozilla/5.0", "Sec-Fetch-Site": "same-origin"},
}


class Case(NamedTuple):
    """One request of the matrix; `guarded`: the service has tokens."""

    route: Route
    method: str
    credential: str
    address: str
    client: str
    guarded: bool

    @property
    def changes(self) -> bool:
        return (self.method, self.route.rule) in CHANGES

    @property
    def _methods(self) -> frozenset[str]:
        """The methods that its path knows: whatever lies below /view/ can be opened, and be it to see that nothing is there."""
        below = self.route.rule.startswith("/view/")
        return self.route.methods | {"GET", "HEAD"} if below else self.route.methods

    @property
    def _page(self) -> bool:
        return any(self.route.rule == path or (path != "/" and self.route.rule.startswith(path)) for path in PAGES)

    def expected(self) -> int | str:
        """Return the status that the contract says, or REACHED."""
        if self.client == "rebound Host":
            return 421
        if not self.guarded and self.address == "other":
            return 403
        if self.guarded and self.route.rule not in OPEN and self.credential in ("no token", "wrong", "malformed"):
            opened = self._page and self.method in ("GET", "HEAD") and self.credential == "no token"
            return 303 if opened else 401
        if self.method not in self._methods:
            return 405
        if self._forbidden():
            return 403
        return 200 if self.method == "OPTIONS" else REACHED

    def _forbidden(self) -> bool:
        if self.changes and "cross-site" in self.client:
            return True
        if not self.guarded or self.route.rule in OPEN:
            return False
        return (self.credential == "read" and self.changes) or (self.credential == "scrape" and self.route.rule != "/metrics")


def cases(app: Flask, *, guarded: bool) -> list[Case]:
    """What changes state, and one GET of each kind, with each token, address and client; the rest with one of these varied."""
    found = []
    credentials = list(CREDENTIALS if guarded else ("no token", "wrong"))
    for route, method in product(routes(app), METHODS):
        whole = (method, route.rule) in CHANGES or (method == "GET" and route.rule in SAMPLES)
        usual = ("write" if guarded else "no token", "loopback", "curl")
        kinds = set(product(credentials, ADDRESSES, CLIENTS)) if whole else {(one, *usual[1:]) for one in credentials}
        if method in route.methods or method == "PATCH":
            kinds |= {(usual[0], "loopback", one) for one in CLIENTS} | {(usual[0], "other", "curl")}
        found += [Case(route, method, *kind, guarded) for kind in sorted(kinds)]
    return found


def answered(made: FlaskClient, case: Case) -> int | str:
    """Send the case's request; REACHED if a view has answered."""
    authorization = CREDENTIALS[case.credential]
    headers = CLIENTS[case.client] | ({"Authorization": authorization} if authorization else {})
    place = {"REMOTE_ADDR": ADDRESSES[case.address]}
    response = made.open(case.route.path, method=case.method, headers=headers, environ_overrides=place)
    reached = response.status_code == 200 and (case.method == "HEAD" or response.text == REACHED)
    return REACHED if reached and case.method != "OPTIONS" else response.status_code


@pytest.mark.parametrize("guarded", [True, False])
def test_who_is_let_in_is_what_the_contract_says(make_app: MakeApp, guarded: bool) -> None:
    tokens = {"API_TOKEN": TOKEN, "API_READ_TOKEN": READ_TOKEN, "METRICS_TOKEN": METRICS_TOKEN} if guarded else {}
    app = hollow(make_app(**tokens, LOG_LEVEL="ERROR"))
    asked, made = cases(app, guarded=guarded), client(app)
    assert len(asked) > 1_000
    found = [f"{case}: {was}" for case in asked if case.expected() != (was := answered(made, case))]
    assert not found, "\n".join(found[:20])


def test_what_changes_state_is_listed_here(make_app: MakeApp) -> None:
    found = {(method, route.rule) for route in routes(make_app()) for method in route.methods & CHANGING}
    assert found | {("GET", "/database")} == CHANGES


def test_a_view_without_the_door_before_it_answers_nobody(make_app: MakeApp) -> None:
    app = hollow(make_app())
    app.wsgi_app = type(app).wsgi_app.__get__(app)  # type: ignore[method-assign]
    assert client(app).get("/tweets").status_code == 500
