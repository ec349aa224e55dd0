"""Health at a glance, and what every page says of where its tweets come from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from emulator import Emulator
from tests.fixtures.browser import accessibility, needs_chromium, tab, untidy
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, free_port, serving
from tests.fixtures.waiting import wait_until
from web.parts import Level

TOKEN = "write-7c1f0ad24b9e58d3"
PAGES = ("/", "/view/tweets", "/view/tags", "/view/tags/devops", "/view/collections", "/view/collections/new", "/view/health")
BANNER = "invented"
LINKS = {"Grafana": "http://127.0.0.1:3000", "Kibana": "http://127.0.0.1:5601", "Prometheus": "http://127.0.0.1:9090"}
BROWSER = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service as it is without credentials: its own emulator stands in. It has tokens."""
    folder = tmp_path_factory.mktemp("emulated")
    database = {"DATABASE_URL": f"sqlite:///{folder / 'emulated.db'}", "DATA_FOLDER": str(folder)}
    with serving(folder, **database, COLLECT_ON_START="0", TAGS="#devops", TW_NUMBER="10", API_TOKEN=TOKEN) as server:
        yield server


@pytest.fixture(scope="module")
def shipping(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Server]:
    """The service with other programs beside it, and a Logstash that is away."""
    folder = tmp_path_factory.mktemp("shipping")
    more = {f"{name.upper()}_URL": url for name, url in LINKS.items()}
    logs = {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(free_port())}
    with serving(folder, **environment(folder, pretend_x) | more | logs) as server:
        yield server


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Server]:
    """The service alone, over an X that is not its own."""
    folder = tmp_path_factory.mktemp("plain")
    with serving(folder, **environment(folder, pretend_x)) as server:
        yield server


def part(page: Page, name: str) -> str:
    """Return what the page says of a part."""
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name)).inner_text()


@needs_chromium
def test_every_page_says_that_the_tweets_are_invented(emulated: Server, chromium: Browser) -> None:
    with tab(chromium, viewport={"width": 360, "height": 800}) as page:
        page.goto(f"{emulated.url}/sign-in")
        banner = page.get_by_role("complementary").filter(has_text=BANNER)
        expect(banner).to_be_visible()
        assert accessibility(page) == []
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{emulated.url}/")
        page.evaluate("fetch('/database', {method: 'POST'}).then(answer => answer.status)")
        for path in (*PAGES, "/view/collections/1", "/docs"):
            page.goto(emulated.url + path)
            expect(banner).to_be_visible()
            assert untidy(page) == [], path
            assert path != "/" or accessibility(page) == [], path


def test_without_an_emulator_no_page_says_so(plain: Server) -> None:
    for path in (*PAGES, "/docs"):
        assert BANNER not in plain.get(path, headers=BROWSER).text, path


@needs_chromium
@pytest.mark.parametrize("configured", [True, False])
def test_other_programs_are_linked_where_they_are_configured(
    shipping: Server, plain: Server, chromium: Browser, configured: bool
) -> None:
    with tab(chromium) as page:
        page.goto(f"{(shipping if configured else plain).url}/view/health")
        for name, url in LINKS.items():
            link = page.get_by_role("link", name=name, exact=True)
            if configured:
                expect(link).to_have_attribute("href", url)
            else:
                expect(link).to_have_count(0)
        expect(page.get_by_role("main").locator('a[href="/docs"]')).to_have_count(1)
        assert untidy(page) == []


@needs_chromium
def test_a_logstash_that_is_away_is_said(shipping: Server, plain: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(f"{plain.url}/view/health")
        assert "LOGSTASH_HOST" in part(page, "Logs")

        assert Level.WELL.word in part(page, "Logs")

        def told() -> bool:
            page.goto(f"{shipping.url}/view/health")
            return Level.LOOK.word in part(page, "Logs")

        wait_until(told)
        assert any(word in part(page, "Logs") for word in ("wait", "dropped"))
        assert accessibility(page) == []


@needs_chromium
def test_the_state_of_the_database_and_the_version_are_said(plain: Server, chromium: Browser) -> None:
    version = plain.get("/openapi.json").json()["info"]["version"]
    plain.request("POST", "/database")
    with tab(chromium) as page:
        page.goto(f"{plain.url}/view/health")
        said = {
            name: page.get_by_role("term").filter(has_text=name).locator("xpath=following-sibling::dd").inner_text()
            for name in ("Database", "Tweets stored", "Version", "Size")
        }
        assert said["Database"] == "SQLite"
        assert said["Version"] == version
        assert int(said["Tweets stored"].replace(",", "")) == len(plain.get("/tweets").json()["tweets"]) > 0
        assert said["Size"].split()[1] in ("kB", "MB")
        assert part(page, "Collection")
        assert part(page, "X")
        assert part(page, "Budget")
