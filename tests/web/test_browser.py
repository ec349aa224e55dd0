"""What the tests of pages rely on: what a page does wrong is noticed. That a page may be tidy, all others show."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.fixtures.browser import accessibility, tab, untidy, violations
from tests.fixtures.pages import hosted

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tidy</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"></head>
<body><main><h1>Tidy</h1>{}</main></body></html>"""
STRICT = {"Content_Security_Policy": "default-src 'none'; img-src data:"}
FAULTY = """<img id='c' src='data:,'><input id='a'><input id='b'><p id='d' style='color: #aaa; background: #fff'>pale</p>
<h4>deep</h4><p style='width: 2000px'>wide</p><img src='http://tracker.example/x.gif' alt=''>
<script>console.error('broken'); console.warn('worn');
Promise.reject(new Error('refused')); throw new Error('thrown')</script>"""
COMPLAINTS = ("broken", "worn", "refused", "thrown", "Failed to load resource: net::ERR_NAME_NOT_RESOLVED")


def test_each_fault_is_noticed(chromium: Browser) -> None:
    with hosted(PAGE.format(FAULTY)) as port, tab(chromium) as page:
        page.goto(f"http://any.test:{port}/")
        assert {*untidy(page)} == {
            "asks another origin: http://tracker.example",
            *(f"complains: {said}" for said in COMPLAINTS),
            "wider than its window by 728 px",
        }
        assert sorted(accessibility(page)) == [
            "color-contrast (serious): #d",
            "heading-order (moderate): h4",
            "image-alt (critical): #c",
            "label (critical): #a",
            "label (critical): #b",
        ]


def test_a_breach_of_the_policy_is_noticed_and_stopped(chromium: Browser) -> None:
    with hosted(PAGE.format("<script>window.broken = 1</script>"), **STRICT) as port:
        for bypass in (False, True):
            with tab(chromium, bypass_csp=bypass) as page:
                page.goto(f"http://127.0.0.1:{port}/")
                assert page.evaluate("window.broken") == (1 if bypass else None)
                assert violations(page) == ([] if bypass else ["script-src-elem inline"])
                assert len(untidy(page)) == (0 if bypass else 2)
