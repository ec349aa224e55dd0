"""A page of another origin in a real browser cannot collect, delete the database or read."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager

import pytest
from flask import Flask, Response, request, request_finished
from playwright.sync_api import Browser, Page

from emulator import Emulator
from tests.fixtures.browser import tab
from tests.fixtures.service import Service, hosted
from tests.fixtures.views import Serve
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.browser

REBOUND = "rebound.test"
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


def evil(target: str) -> AbstractContextManager[int]:
    """Serve the page that attacks the target, and yield its port."""
    return hosted(Response(EVIL.format(target=target), content_type="text/html"))


def state(server: Service) -> tuple[int, int]:
    """Return how many tweets and collections there are."""
    return len(server.get("/tweets").json()["tweets"]), len(server.get("/collections").json()["collections"])


def attacked(server: Service, page: Page, url: str, *, refusals: set[int]) -> dict[str, str]:
    """Open the attacking page, and return what its scripts received once the service has refused all requests."""
    answers: Counter[tuple[str, int]] = Counter()

    def note(_app: Flask, response: Response, **_more: object) -> None:
        if request.path == "/database":
            answers[request.method, response.status_code] += 1

    def refused(method: str) -> int:
        return sum(answers[method, status] for status in refusals)

    with request_finished.connected_to(note, server.app):
        page.goto(url)
        outcomes: dict[str, str] = page.evaluate("window.done")
        wait_until(lambda: refused("GET") >= 7 and refused("POST") >= 3)
    assert {status for method, status in answers if method != "OPTIONS"} <= refusals
    return outcomes


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_of_another_origin_changes_and_reads_nothing(
    filled: Service, pretend_x: Emulator, chromium: Browser, host: str
) -> None:
    """127.0.0.1 is another origin of the same site, localhost is another site."""
    before, sold = state(filled), len(pretend_x.requests)
    with evil(filled.url) as port, tab(chromium) as page:
        outcomes = attacked(filled, page, f"http://{host}:{port}/", refusals={403})
        assert outcomes == dict.fromkeys(("get", "post", "drop", "token", "read", "opaque"), "TypeError")
        page.evaluate(f"location.assign('{filled.url}/database')")  # as a link that somebody clicks on
        page.get_by_text("another site").wait_for()
    assert state(filled) == before
    assert len(pretend_x.requests) == sold


def test_a_name_that_was_pointed_at_this_machine_gets_421(filled: Service, chromium: Browser) -> None:
    before = state(filled)
    rebound = filled.url.replace("127.0.0.1", REBOUND)
    status = "fetch('/{}', {{method: '{}'}}).then(answer => answer.status)"
    with tab(chromium, bypass_csp=True) as page:  # the attacker's page, which this answer stands for, has no policy
        page.goto(f"{rebound}/docs")
        page.get_by_text("421").first.wait_for()
        for path, method in (("tweets", "GET"), ("database", "GET"), ("database", "DELETE"), ("livez", "GET")):
            assert page.evaluate(status.format(path, method)) == 421
    assert state(filled) == before


def test_the_services_own_page_may_collect_and_the_address_bar_leads_to_the_price(filled: Service, chromium: Browser) -> None:
    count = state(filled)[1]
    with tab(chromium) as page:
        page.goto(f"{filled.url}/docs")
        page.locator(".opblock").first.wait_for()
        assert page.evaluate("fetch('/database', {method: 'POST'}).then(answer => answer.status)") == 200
        page.goto(f"{filled.url}/database")
        page.wait_for_url(f"{filled.url}/view/collections/new")
    assert state(filled)[1] == count + 1


def test_a_session_is_of_no_use_to_another_origin(serve: Serve, pretend_x: Emulator, chromium: Browser) -> None:
    token, sold = "write-7c1f0ad24b9e58d3", len(pretend_x.requests)
    server = serve(API_TOKEN=token)
    with evil(server.url) as port, tab(chromium) as page:
        page.goto(f"{server.url}/sign-in")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button").click()
        page.wait_for_url(f"{server.url}/")
        page.get_by_role("heading", name="The last 7 days").wait_for()
        assert page.evaluate("document.cookie") == ""
        assert page.evaluate("fetch('/tags').then(answer => answer.status)") == 200
        for host in ("127.0.0.1", "localhost"):
            attacked(server, page, f"http://{host}:{port}/", refusals={401, 403})
    assert len(pretend_x.requests) == sold
