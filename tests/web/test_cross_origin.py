"""A page of another origin, in a real browser, tries to collect, to drop the database and to read, and can't."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from emulator import Emulator
from tests.conftest import Server, environment, serving, wait_until
from tests.fixtures.browser import CHROMIUM, Page, browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing: apt-get install chromium")

REBOUND = "rebound.example"
EVIL = """<!doctype html><meta charset="utf-8"><title>kittens</title>
<link rel="prefetch" href="{target}/database"><link rel="stylesheet" href="{target}/database">
<img src="{target}/database"><script src="{target}/database"></script><iframe src="{target}/database"></iframe>
<video src="{target}/database"></video><object data="{target}/database"></object>
<iframe name="a"></iframe><iframe name="b"></iframe><iframe name="c"></iframe>
<form id="get" action="{target}/database" target="a"></form>
<form id="post" action="{target}/database" method="post" target="b"></form>
<form id="plain" action="{target}/tags/x" method="post" enctype="text/plain" target="c"><input name="_method"></form>
<script>
for (const form of ["get", "post", "plain"]) document.getElementById(form).submit();
navigator.sendBeacon("{target}/database", "x");
const outcome = promise => promise.then(answer => answer.type, error => error.name);
window.done = (async () => ({{
  get: await outcome(fetch("{target}/database", {{mode: "no-cors", credentials: "include"}})),
  post: await outcome(fetch("{target}/database", {{method: "POST", mode: "no-cors", credentials: "include", body: "x"}})),
  drop: await outcome(fetch("{target}/database", {{method: "DELETE"}})),
  token: await outcome(fetch("{target}/tweets", {{headers: {{Authorization: "Bearer x"}}}})),
  read: await outcome(fetch("{target}/tweets")),
  opaque: await outcome(fetch("{target}/tweets", {{mode: "no-cors"}})),
}}))();
</script>"""


@contextmanager
def evil(target: str) -> Iterator[int]:
    """Serve the page that attacks the target, and give its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = EVIL.format(target=target).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser"), "localhost", REBOUND) as page:
        yield page


@pytest.fixture(scope="module")
def x() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, x: Emulator) -> Iterator[Server]:
    """The service with tweets that an attacker might want."""
    folder = tmp_path_factory.mktemp("filled")
    with serving(folder, **environment(folder, x)) as server:
        assert server.get("/database").status_code == 200
        yield server


def state(server: Server) -> tuple[int, int]:
    """Return how many tweets and collections there are."""
    return len(server.get("/tweets").json()["tweets"]), len(server.get("/collections").json()["collections"])


def asked(server: Server) -> Counter[tuple[str, int]]:
    """Return how often /database was asked for, by method and status, in the access events."""
    records = [json.loads(line) for line in server.log.read_text().splitlines()]
    events = [one["http"] for one in records if one.get("url", {}).get("path") == "/database"]
    return Counter((one["request"]["method"], one["response"]["status_code"]) for one in events)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_of_another_origin_changes_and_reads_nothing(filled: Server, x: Emulator, tab: Page, host: str) -> None:
    """From 127.0.0.1 it is another origin of the same site, from localhost another site."""
    before, sold, known = state(filled), len(x.requests), asked(filled)
    with evil(filled.url) as port:
        tab.open(f"http://{host}:{port}/")
        outcomes = tab.until("window.done")
        assert outcomes == dict.fromkeys(("get", "post", "drop", "token", "read", "opaque"), "TypeError")
        wait_until(lambda: (asked(filled) - known)["GET", 403] >= 7)
        wait_until(lambda: (asked(filled) - known)["POST", 403] >= 3)
    assert state(filled) == before
    assert len(x.requests) == sold
    assert set(asked(filled) - known) == {("GET", 403), ("POST", 403), ("OPTIONS", 200)}


def test_who_clicks_on_a_link_of_another_site_does_not_collect(filled: Server, x: Emulator, tab: Page) -> None:
    sold = len(x.requests)
    with evil(filled.url) as port:
        tab.open(f"http://localhost:{port}/")
        tab.until("window.done")
        tab.value(f"location.assign('{filled.url}/database')")
        tab.until("document.body && document.body.innerText.includes('another site')")
    assert len(x.requests) == sold


def test_a_name_that_was_pointed_at_this_machine_gets_421(filled: Server, tab: Page) -> None:
    before = state(filled)
    rebound = filled.url.replace("127.0.0.1", REBOUND)
    status = "fetch('/{}', {{method: '{}'}}).then(answer => answer.status)"
    with tab.without_policies():  # the attacker's page, which this answer stands for, has none
        tab.open(f"{rebound}/docs")
        tab.until("document.body && document.body.innerText.includes('421')")
        for path, method in (("tweets", "GET"), ("database", "GET"), ("database", "DELETE"), ("livez", "GET")):
            assert tab.value(status.format(path, method)) == 421
    assert state(filled) == before


def test_the_services_own_page_and_the_address_bar_may_collect(filled: Server, tab: Page) -> None:
    count = state(filled)[1]
    tab.open(f"{filled.url}/docs")
    tab.until("document.querySelectorAll('.opblock').length")
    assert tab.value("fetch('/database', {method: 'POST'}).then(answer => answer.status)") == 200
    tab.open(f"{filled.url}/database")
    tab.until("document.body && document.body.innerText.includes('restored')")
    assert state(filled)[1] == count + 2


def test_a_session_is_of_no_use_to_another_origin(tmp_path: Path, emulator: Emulator, tab: Page) -> None:
    token = "write-7c1f0ad24b9e58d3"
    with serving(tmp_path, **environment(tmp_path, emulator), API_TOKEN=token) as server, evil(server.url) as port:
        tab.open(f"{server.url}/sign-in")
        tab.until("!!document.getElementById('token')")
        tab.value(f"document.getElementById('token').value = '{token}'; document.forms[0].submit()")
        tab.until("location.pathname === '/' && document.body.innerText.includes('/tweets')")
        assert tab.value("document.cookie") == ""
        assert tab.value("fetch('/tags').then(answer => answer.status)") == 200
        for host in ("127.0.0.1", "localhost"):
            tab.open(f"http://{host}:{port}/")
            tab.until("window.done")
        wait_until(lambda: asked(server)["POST", 403] + asked(server)["POST", 401] >= 6)
        assert not [key for key in asked(server) if key[1] < 400]
        assert not emulator.requests
