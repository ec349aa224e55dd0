"""What the tests of pages rely on: whatever a page does wrong is noticed, and a page that does nothing wrong passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from tests.fixtures.browser import accessibility, needs_chromium, origins, seen, tab, untidy, violations
from tests.fixtures.pages import hosted

pytestmark = needs_chromium

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tidy</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"></head>
<body><main><h1>Tidy</h1>{}</main></body></html>"""
STRICT = "default-src 'none'; img-src data:"


@contextmanager
def opened(running: Browser, planted: str = "", *, policy: str = "", **options: Any) -> Iterator[Page]:
    """Open the tidy page with something planted into it."""
    headers = {"Content_Security_Policy": policy} if policy else {}
    with hosted(PAGE.format(planted), **headers) as port, tab(running, **options) as page:
        page.goto(f"http://127.0.0.1:{port}/")
        yield page


@pytest.mark.parametrize("policy", ["", STRICT])
def test_a_tidy_page_is_tidy_and_accessible(chromium: Browser, policy: str) -> None:
    with opened(chromium, policy=policy) as page:
        assert accessibility(page) == []
        assert untidy(page) == []


@pytest.mark.parametrize(
    ("planted", "noticed"),
    [
        ("<script>console.error('broken')</script>", "complains: broken"),
        ("<script>console.warn('worn')</script>", "complains: worn"),
        ("<script>throw new Error('thrown')</script>", "complains: thrown"),
        ("<script>Promise.reject(new Error('refused'))</script>", "complains: refused"),
        ("<p style='width: 2000px'>wide", "wider than its window by 728 px"),
    ],
)
def test_a_complaint_or_too_much_width_is_noticed(chromium: Browser, planted: str, noticed: str) -> None:
    with opened(chromium, planted) as page:
        assert untidy(page) == [noticed]


def test_a_breach_of_the_policy_is_noticed_and_stopped(chromium: Browser) -> None:
    with opened(chromium, "<script>window.broken = 1</script>", policy=STRICT) as page:
        assert page.evaluate("window.broken") is None
        assert violations(page) == ["script-src-elem inline"]
        first, second = untidy(page)
        assert first == "against its policy: script-src-elem inline"
        assert second.startswith("complains: Executing inline script violates")


def test_without_its_policy_a_page_does_what_it_likes(chromium: Browser) -> None:
    with opened(chromium, "<script>window.broken = 1</script>", policy=STRICT, bypass_csp=True) as page:
        assert page.evaluate("window.broken") == 1
        assert untidy(page) == []


def test_a_request_to_another_origin_is_noticed_and_reaches_nobody(chromium: Browser) -> None:
    with opened(chromium, "<img src='http://tracker.example/x.gif' alt=''>") as page:
        assert "http://tracker.example/x.gif" in seen(page).requests
        assert untidy(page) == [
            "asks another origin: http://tracker.example",
            "complains: Failed to load resource: net::ERR_NAME_NOT_RESOLVED",
        ]


def test_another_port_is_another_origin(chromium: Browser) -> None:
    with hosted("") as port, opened(chromium, f"<img src='http://127.0.0.1:{port}/' alt=''>") as page:
        assert untidy(page) == [f"asks another origin: http://127.0.0.1:{port}"]


def test_what_a_page_did_before_it_was_left_is_still_known(chromium: Browser) -> None:
    with hosted(PAGE) as port, opened(chromium, "<script>console.error('broken')</script>") as page:
        left = page.url.rstrip("/")
        page.goto(f"http://localhost:{port}/")
        assert origins(page) == {left, f"http://localhost:{port}"}
        assert untidy(page) == [f"asks another origin: {left}", "complains: broken"]


@pytest.mark.parametrize(
    ("planted", "noticed"),
    [
        ("<img src='data:,'>", "image-alt (critical): img"),
        ("<p style='color: #aaa; background: #fff'>pale</p>", "color-contrast (serious): p"),
        ("<input id='nameless'>", "label (critical): #nameless"),
        ("<h4>deep</h4>", "heading-order (moderate): h4"),
    ],
)
@pytest.mark.parametrize("policy", ["", "default-src 'none'; img-src data:; style-src 'unsafe-inline'"])
def test_what_some_people_cannot_use_is_noticed(chromium: Browser, planted: str, noticed: str, policy: str) -> None:
    """Under a strict policy too, of which axe itself breaks nothing."""
    with opened(chromium, planted, policy=policy) as page:
        assert accessibility(page) == [noticed]
        assert violations(page) == []


def test_each_place_has_a_line(chromium: Browser) -> None:
    with opened(chromium, "<input id='a'><input id='b'>") as page:
        assert accessibility(page) == ["label (critical): #a", "label (critical): #b"]


def test_a_page_is_shown_as_the_options_say(chromium: Browser) -> None:
    wish: dict[str, Any] = {"color_scheme": "dark", "reduced_motion": "reduce", "viewport": {"width": 360, "height": 640}}
    with opened(chromium, **wish) as page:
        for query in ("(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)", "(width: 360px)"):
            assert page.evaluate("query => matchMedia(query).matches", query), query


def test_without_scripts_a_page_is_looked_at_as_well(chromium: Browser) -> None:
    planted = "<noscript><p>plain</p></noscript><script>console.error('ran')</script><p style='width: 2000px'>wide"
    with opened(chromium, planted, java_script_enabled=False) as page:
        expect(page.locator("noscript p")).to_be_visible()
        assert untidy(page) == ["wider than its window by 728 px"]
        with pytest.raises(AssertionError, match="axe needs JavaScript"):
            accessibility(page)


def test_each_tab_has_its_own_cookies_and_record(chromium: Browser) -> None:
    with opened(chromium, "<script>document.cookie = 'a=1'; console.error('broken')</script>") as one:
        with opened(chromium) as other:
            assert other.evaluate("document.cookie") == ""
            assert untidy(other) == []
        assert one.evaluate("document.cookie") == "a=1"


def test_names_that_are_not_known_are_not_asked_for(chromium: Browser) -> None:
    with hosted(PAGE) as port, tab(chromium) as page:
        for name in ("127.0.0.1", "localhost", "any.test"):
            page.goto(f"http://{name}:{port}/")
        with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
            page.goto(f"http://any.example:{port}/")
