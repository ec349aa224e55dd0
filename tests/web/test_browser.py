"""The browser checks notice each planted fault. The tests of pages show that a good page passes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.fixtures.browser import accessibility, tab, untidy

POLICY = "default-src 'none'; script-src 'unsafe-inline' http://other.example; style-src 'unsafe-inline'"
FAULTY = """<!doctype html><html lang="en"><title>Faulty</title><main><h1>Faulty</h1>
<p id="pale" style="color: #aaa; background: #fff">pale</p><input id="unnamed"><p style="width: 9000px">wide</p>
<img src="http://tracker.example/x.gif" alt=""><script src="http://other.example/x.js"></script>
<script>console.error("broken"); console.warn("worn");
Promise.reject(new Error("refused")); throw new Error("thrown")</script>"""


@pytest.mark.browser
def test_each_fault_is_noticed(chromium: Browser) -> None:
    with tab(chromium) as page:
        headers = {"Content-Type": "text/html", "Content-Security-Policy": POLICY}
        page.route("http://any.test/", lambda route: route.fulfill(body=FAULTY, headers=headers))
        page.goto("http://any.test/")
        assert {
            "against its policy: img-src http://tracker.example/x.gif",
            "asks another origin: http://other.example",
            *(f"complains: {said}" for said in ("broken", "worn", "refused", "thrown")),
        } <= {*untidy(page)}
        assert untidy(page)[-1].startswith("wider than its window by ")
        assert {"color-contrast (serious): ['#pale']", "label (critical): ['#unnamed']"} <= {*accessibility(page)}
