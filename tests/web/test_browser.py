"""What the tests of pages rely on: what a page does wrong is noticed, and a page that does nothing wrong passes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Error

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


@pytest.mark.parametrize("policy", [{}, STRICT])
def test_a_tidy_page_is_tidy_and_accessible(chromium: Browser, policy: dict[str, str]) -> None:
    with hosted(PAGE.format(""), **policy) as port, tab(chromium) as page:
        page.goto(f"http://any.test:{port}/")
        assert (accessibility(page), untidy(page)) == ([], [])
        with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
            page.goto(f"http://any.example:{port}/")


def test_each_fault_is_noticed(chromium: Browser) -> None:
    with hosted(PAGE.format(FAULTY)) as port, tab(chromium) as page:
        page.goto(f"http://127.0.0.1:{port}/")
        found = untidy(page)
        assert sorted(accessibility(page)) == [
            "color-contrast (serious): #d",
            "heading-order (moderate): h4",
            "image-alt (critical): #c",
            "label (critical): #a",
            "label (critical): #b",
        ]
    assert {*found} == {
        "asks another origin: http://tracker.example",
        *(f"complains: {said}" for said in ("broken", "worn", "refused", "thrown")),
        "complains: Failed to load resource: net::ERR_NAME_NOT_RESOLVED",
        "wider than its window by 728 px",
    }


def test_a_breach_of_the_policy_is_noticed_and_stopped(chromium: Browser) -> None:
    with hosted(PAGE.format("<script>window.broken = 1</script>"), **STRICT) as port:
        for bypass in (False, True):
            with tab(chromium, bypass_csp=bypass) as page:
                page.goto(f"http://127.0.0.1:{port}/")
                assert page.evaluate("window.broken") == (1 if bypass else None)
                assert violations(page) == ([] if bypass else ["script-src-elem inline"])
                assert len(untidy(page)) == (0 if bypass else 2)


def test_without_scripts_a_page_is_looked_at_as_well(chromium: Browser) -> None:
    planted = "<script>console.error('ran')</script><p style='width: 2000px'>wide"
    with hosted(PAGE.format(planted)) as port, tab(chromium, java_script_enabled=False) as page:
        page.goto(f"http://127.0.0.1:{port}/")
        assert untidy(page) == ["wider than its window by 728 px"]
        with pytest.raises(AssertionError, match="axe needs JavaScript"):
            accessibility(page)
