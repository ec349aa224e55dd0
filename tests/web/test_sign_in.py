"""The sign-in in a real browser: to the page that was opened, with a word to a wrong token, and out again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Server, serving
from tests.fixtures.browser import CHROMIUM, Page, browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing: apt-get install chromium")

NAME = "monitor.test"
TOKEN = "write-7c1f0ad24b9e58d3"
FORM = "!!document.getElementById('token')"
DOCS = "document.querySelectorAll('.opblock').length"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Server]:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path / 'tweets.db'}", "COLLECT_ON_START": "0", "API_TOKEN": TOKEN}
    settings |= {"ALLOWED_HOSTS": NAME}
    with serving(tmp_path, **settings) as server:
        yield server


def type_in(page: Page, token: str) -> None:
    """Type into the field that has the focus, and press Enter."""
    assert page.until("document.activeElement.id") == "token"
    page.type(token + "\r")


@pytest.mark.parametrize("host", ["127.0.0.1", NAME])
def test_a_person_signs_in_reads_and_signs_out(service: Server, tmp_path: Path, host: str) -> None:
    """By a name that isn't loopback browsers send no Sec-Fetch-Site: there Origin alone says that the form is our own."""
    url = service.url.replace("127.0.0.1", host)
    with browser(tmp_path, NAME) as page:
        page.open(f"{url}/docs")
        page.until(FORM)
        type_in(page, "no-such-token")
        assert "This token is wrong" in page.until("document.getElementById('fault')?.innerText")
        type_in(page, TOKEN)
        page.until(DOCS)
        assert page.value("location.pathname") == "/docs"
        assert page.value("document.cookie") == ""
        assert page.value("fetch('/tags').then(answer => answer.status)") == 200
        page.open(f"{url}/")
        page.until("document.forms.length")
        page.value("document.forms[0].requestSubmit(); true")
        page.until(FORM)
        assert page.value("fetch('/tags').then(answer => answer.status)") == 401
        assert not page.violations()
        assert all(url.startswith((url, "data:")) for url in page.seen.requests)
