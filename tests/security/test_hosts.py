"""The Host of a request is a name that the service has, or it answers 421."""

from __future__ import annotations

from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.security.conftest import TOKEN, MakeApp, bearer, client

LOOPBACK = ("localhost", "LOCALHOST:5000", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:5000", "localhost:")
REBOUND = [
    *("elsewhere.example", "localhost.elsewhere.example", "127.0.0.1.elsewhere.example", "localhost@elsewhere.example"),
    *("localhost, elsewhere.example", "localhost:5000:5000", "localhost.", "local host", "localhost/", "localhost#"),
    *("127.0.0.2", "127.1", "0.0.0.0", "[::2]", "::1", "[::1", "192.0.2.7:5000", "localhost\xff", "twitterapi"),
]


def statuses(app: object, *hosts: str, path: str = "/livez", **more: str) -> set[int]:
    made = client(app)  # type: ignore[arg-type]
    return {made.get(path, headers={"Host": host, **more}).status_code for host in hosts}


def test_the_names_of_loopback_are_known_and_every_other_answers_421_whatever_the_path_and_the_token(make_app: MakeApp) -> None:
    app = make_app(API_TOKEN=TOKEN)
    assert statuses(app, *LOOPBACK) == {200}
    for path in ("/livez", "/tweets", "/nothing", "/static/docs.css", "/sign-in", "/docs"):
        for more in ({}, bearer(TOKEN)):
            assert statuses(app, *REBOUND, path=path, **more) == {421}


def test_the_names_of_allowed_hosts_and_of_host_are_known_but_an_address_that_means_all_is_none(make_app: MakeApp) -> None:
    app = make_app(ALLOWED_HOSTS="Monitor.Example, twitterapi,,[2001:DB8::1]", HOST="192.0.2.7", API_TOKEN=TOKEN)
    known = ("monitor.example", "MONITOR.EXAMPLE:443", "twitterapi:5000", "[2001:db8::1]:5000", "192.0.2.7:5000", "localhost")
    assert statuses(app, *known) == {200}
    assert statuses(app, "other.example") == {421}
    for everywhere in ("0.0.0.0", "[::]"):
        assert statuses(make_app(HOST=everywhere, API_TOKEN=TOKEN), everywhere) == {421}


def test_http_1_1_needs_a_host_and_http_1_0_needs_none(make_app: MakeApp) -> None:
    app = make_app()

    def answered(protocol: str) -> str:
        environ = EnvironBuilder(path="/livez").get_environ()
        del environ["HTTP_HOST"]
        return run_wsgi_app(app, environ | {"SERVER_PROTOCOL": protocol, "REMOTE_ADDR": "127.0.0.1"})[1]

    assert answered("HTTP/1.1").startswith("400 ")
    assert answered("HTTP/1.0").startswith("200 ")
