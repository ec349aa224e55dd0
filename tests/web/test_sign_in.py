"""Sign-in and sign-out in a real browser, with an error for a wrong token and a return to the opened page."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fixtures.browser import accessibility, origins, tab, untidy
from tests.fixtures.service import Service
from tests.fixtures.views import Serve

pytestmark = pytest.mark.browser

NAME = "monitor.test"
TOKEN = "write-7c1f0ad24b9e58d3"

EXPECTED = re.compile(r"401 \(UNAUTHORIZED\)|Cross-Origin-Opener-Policy header has been ignored")
"""Console messages of browsers about a wrong token, and about a name that isn't loopback."""


@pytest.fixture(scope="module")
def service(serve: Serve) -> Service:
    return serve(API_TOKEN=TOKEN, ALLOWED_HOSTS=NAME)


def type_in(page: Page, token: str) -> None:
    """Type into the field that has the focus, and press Enter."""
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type(token)
    page.keyboard.press("Enter")


@pytest.mark.parametrize(("host", "width", "scheme"), [("127.0.0.1", 360, "dark"), (NAME, 1280, "light")])
def test_a_person_signs_in_reads_and_signs_out(
    service: Service, chromium: Browser, host: str, width: int, scheme: Literal["dark", "light"]
) -> None:
    """For a name that isn't loopback browsers send no Sec-Fetch-Site; only Origin shows that the form is the service's own."""
    url = service.url.replace("127.0.0.1", host)
    with tab(chromium, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        page.goto(f"{url}/docs")
        assert accessibility(page) == []
        type_in(page, "no-such-token")
        expect(page.get_by_role("alert")).to_contain_text("This token is wrong")
        assert accessibility(page) == []
        assert [fault for fault in untidy(page) if not EXPECTED.search(fault)] == []
        type_in(page, TOKEN)
        page.locator(".opblock").first.wait_for()
        assert page.url == f"{url}/docs"
        assert page.evaluate("document.cookie") == ""
        assert page.evaluate("fetch('/tags').then(answer => answer.status)") == 200
        page.goto(f"{url}/")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Token").wait_for()
        assert page.evaluate("fetch('/tags').then(answer => answer.status)") == 401
        assert origins(page) == {url}
