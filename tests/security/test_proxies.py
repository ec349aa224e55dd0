"""Behind proxies: as many are believed as TRUSTED_PROXIES says, counted from the service, and none by default."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, request

from tests.security.conftest import TOKEN, MakeApp, client


def told(app: Flask, path: str = "/readyz", **headers: str) -> tuple[int, Any]:
    """Return the status of an answer, and the client, scheme and Host that the app was told of."""
    seen: list[Any] = []

    def note() -> None:
        seen.append((request.remote_addr, request.scheme, request.host))

    app.before_request_funcs.setdefault(None, []).insert(0, note)
    answer = client(app).get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return answer.status_code, seen[0] if seen else None


def test_no_proxy_is_believed_by_default_and_nobody_gets_in_as_loopback_by_saying_so(make_app: MakeApp) -> None:
    spoofed = {"X_Forwarded_For": "192.0.2.9", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "elsewhere.example"}
    assert told(make_app(), **spoofed) == (200, ("127.0.0.1", "http", "localhost"))
    made = client(make_app())
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"):
        answer = made.get("/tags", headers={name: "127.0.0.1"}, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
        assert answer.status_code == 403


def test_addresses_are_counted_from_the_service_and_what_is_no_address_is_nobodys(make_app: MakeApp) -> None:
    apps = {count: make_app(TRUSTED_PROXIES=count, API_TOKEN=TOKEN) for count in ("1", "2")}
    for proxies, chain, address in (
        ("1", "192.0.2.1", "192.0.2.1"),
        ("1", "127.0.0.1, 192.0.2.1", "192.0.2.1"),
        ("2", "127.0.0.1, 192.0.2.1, 10.0.0.1", "192.0.2.1"),
        ("2", "192.0.2.1", "127.0.0.1"),
        *(("1", said, None) for said in ("unknown", "<script>", "192.0.2.1:55", "_hidden")),
    ):
        assert told(apps[proxies], X_Forwarded_For=chain) == (200, (address, "http", "localhost"))


def test_without_a_token_who_has_no_address_is_refused(make_app: MakeApp) -> None:
    """As behind a socket that is a file: whoever serves it may let in anybody."""
    assert client(make_app()).get("/tags", environ_overrides={"REMOTE_ADDR": ""}).status_code == 403
    assert client(make_app(ALLOW_OPEN="1")).get("/tags", environ_overrides={"REMOTE_ADDR": ""}).status_code == 200


def test_a_proxy_before_an_unguarded_service_is_warned_of_once(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    made = client(make_app())
    for _ in range(3):
        assert made.get("/livez", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 200
    assert ["set API_TOKEN and TRUSTED_PROXIES" in said for said in caplog.messages if "proxy forwards" in said] == [True]


def test_without_a_token_who_comes_through_a_trusted_proxy_from_elsewhere_is_refused(make_app: MakeApp) -> None:
    app = make_app(TRUSTED_PROXIES="1")
    assert told(app, "/tags", X_Forwarded_For="192.0.2.1")[0] == 403
    assert told(app, "/tags", X_Forwarded_For="127.0.0.1")[0] == 200


def test_the_host_that_a_trusted_proxy_was_asked_for_must_be_known(make_app: MakeApp) -> None:
    app = make_app(TRUSTED_PROXIES="1", API_TOKEN=TOKEN, ALLOWED_HOSTS="monitor.example")
    assert told(app, X_Forwarded_Host="elsewhere.example")[0] == 421
    known = told(app, X_Forwarded_Host="monitor.example", X_Forwarded_Proto="https")
    assert known == (200, ("127.0.0.1", "https", "monitor.example"))


def test_behind_https_a_pages_own_origin_is_https_and_its_session_is_sent_over_nothing_else(make_app: MakeApp) -> None:
    made = client(make_app(TRUSTED_PROXIES="1", API_TOKEN=TOKEN, ALLOWED_HOSTS="monitor.example"))
    proxied = {"X-Forwarded-Host": "monitor.example", "X-Forwarded-Proto": "https"}
    for origin, status in (("https://monitor.example", 303), ("http://monitor.example", 403)):
        answer = made.post("/sign-in", data={"token": TOKEN}, headers=proxied | {"Origin": origin})
        assert answer.status_code == status
        assert ("; Secure" in answer.headers.get("Set-Cookie", "")) == (status == 303)
