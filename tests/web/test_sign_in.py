"""The sign-in in a real browser: to the page that was opened, with a word to a wrong token, and out again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fixtures.browser import accessibility, origins, tab, untidy, violations
from tests.fixtures.service import Service, listening

pytestmark = pytest.mark.browser

NAME = "monitor.test"
TOKEN = "write-7c1f0ad24b9e58d3"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with a token, and without credentials of X: its emulator stands in."""
    folder = tmp_path_factory.mktemp("sign-in")
    settings = {"DATABASE_URL": f"sqlite:///{folder / 'tweets.db'}", "COLLECT_ON_START": "0", "API_TOKEN": TOKEN}
    settings |= {"ALLOWED_HOSTS": NAME}
    with listening(folder, **settings) as server:
        yield server


def type_in(page: Page, token: str) -> None:
    """Type into the field that has the focus, and press Enter."""
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type(token)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("host", ["127.0.0.1", NAME])
def test_a_person_signs_in_reads_and_signs_out(service: Service, chromium: Browser, host: str) -> None:
    """By a name that isn't loopback browsers send no Sec-Fetch-Site: there Origin alone says that the form is our own."""
    url = service.url.replace("127.0.0.1", host)
    with tab(chromium) as page:
        page.goto(f"{url}/docs")
        type_in(page, "no-such-token")
        expect(page.get_by_role("alert")).to_contain_text("This token is wrong")
        type_in(page, TOKEN)
        page.locator(".opblock").first.wait_for()
        assert page.url == f"{url}/docs"
        assert page.evaluate("document.cookie") == ""
        assert page.evaluate("fetch('/tags').then(answer => answer.status)") == 200
        page.goto(f"{url}/")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Token").wait_for()
        assert page.evaluate("fetch('/tags').then(answer => answer.status)") == 401
        assert not violations(page)
        assert origins(page) == {url}


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_everybody_can_read_and_use_the_form_and_what_it_leads_to(
    service: Service, chromium: Browser, width: int, scheme: str
) -> None:
    with tab(chromium, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        page.goto(f"{service.url}/sign-in")
        assert accessibility(page) == []
        assert untidy(page) == []
        type_in(page, "no-such-token")
        page.get_by_role("alert").wait_for()
        assert accessibility(page) == []
        assert untidy(page) == ["complains: Failed to load resource: the server responded with a status of 401 (UNAUTHORIZED)"]
        type_in(page, TOKEN)
        page.wait_for_url(f"{service.url}/")
        expect(page.get_by_role("complementary")).to_contain_text("These tweets are invented")
        assert accessibility(page) == []
