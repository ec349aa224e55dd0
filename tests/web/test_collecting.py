"""Collecting by the page: the price first, a bar that moves, and what to do where it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from emulator import Emulator
from tests.fixtures.archives import Json
from tests.fixtures.browser import accessibility, needs_chromium, tab, untidy
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.waiting import wait_until
from web.advice import advice

pytestmark = needs_chromium

PATH = "/view/collections"
SLOW_S = 2.0
PRICE = re.compile(r"\$\d+\.\d\d")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("collecting")
    with serving(folder, **environment(folder, pretend_x) | {"X_TIMEOUT": "20s", "TW_NUMBER": "10"}) as server:
        yield server


@pytest.fixture(autouse=True)
def _well_again(pretend_x: Emulator) -> Iterator[None]:
    yield
    pretend_x.clear_faults()
    pretend_x.latency = 0


def latest(service: Server) -> Json:
    newest: Json = service.get("/collections?limit=1").json()["collections"][0]
    return newest


def count(service: Server) -> int:
    return len(service.get("/collections").json()["collections"])


def collect(page: Page, service: Server) -> None:
    """Go to the button by way of the price, and press it."""
    page.goto(service.url + PATH)
    page.get_by_role("link", name="Collect now").first.click()
    page.get_by_role("main").get_by_role("button", name="Collect now").click()
    page.wait_for_url(re.compile(rf"{PATH}/\d+$"))


def over(page: Page) -> None:
    """Wait until the page shows that its collection is over."""
    expect(page.get_by_role("progressbar")).to_have_count(0, timeout=30_000)


def test_the_price_is_shown_before_anything_is_bought(service: Server, chromium: Browser, pretend_x: Emulator) -> None:
    before, bought = count(service), pretend_x.ledger.total().ceiling
    with tab(chromium) as page:
        page.goto(service.url + PATH)
        page.get_by_role("link", name="Collect now").first.click()
        page.wait_for_url(f"{service.url}{PATH}/new")
        button = page.get_by_role("main").get_by_role("button", name="Collect now")
        price = PRICE.search(button.inner_text())
        assert price
        assert page.get_by_role("definition").filter(has_text=price[0]).count() >= 1
        assert count(service) == before
        button.click()
        page.wait_for_url(f"{service.url}{PATH}/{latest(service)['id']}")
        over(page)
    assert count(service) == before + 1
    assert pretend_x.ledger.total().ceiling - bought <= float(price[0][1:]) * 1_000_000


def test_the_bar_moves_while_it_runs_and_the_page_ends_with_what_was_found(
    service: Server, chromium: Browser, pretend_x: Emulator
) -> None:
    for tag in ("#observability", "#sre"):
        pretend_x.plan("slow", tag=tag, seconds=2 * SLOW_S)
    with tab(chromium) as page:
        collect(page, service)
        bar = page.get_by_role("progressbar")
        page.evaluate("window.first = document.querySelector('progress').value")
        wait_until(lambda: page.evaluate("document.querySelector('progress').value > window.first"))
        assert accessibility(page) == []
        expect(bar).to_have_attribute("max", "3")
        over(page)
        ended = latest(service)
        assert page.url == f"{service.url}{PATH}/{ended['id']}"
        assert ended["state"] == "done"
        assert page.get_by_role("heading", level=1).get_by_text("done").is_visible()
        assert untidy(page) == []


def test_without_scripts_it_is_followed_as_well(service: Server, chromium: Browser, pretend_x: Emulator) -> None:
    pretend_x.latency = SLOW_S
    with tab(chromium, java_script_enabled=False) as page:
        collect(page, service)
        expect(page.get_by_role("progressbar")).to_have_count(1)
        over(page)
        assert page.url == f"{service.url}{PATH}/{latest(service)['id']}"
        assert untidy(page) == []


def test_a_second_collection_leads_to_the_one_that_runs(service: Server, chromium: Browser, pretend_x: Emulator) -> None:
    pretend_x.latency = 2 * SLOW_S
    before = count(service)
    with tab(chromium) as page, tab(chromium) as other:
        page.goto(f"{service.url}{PATH}/new")
        running = service.request("POST", "/collections").json()["id"]
        page.get_by_role("button", name="Collect now").click()
        page.wait_for_url(f"{service.url}{PATH}/{running}")
        other.goto(f"{service.url}{PATH}/new")
        assert other.get_by_role("link", name=f"Collection {running}").count() == 1
        assert other.get_by_role("button", name="Collect now").count() == 0
        pretend_x.latency = 0
        over(page)
    assert count(service) == before + 1


@pytest.mark.parametrize("kind", ["unauthorized", "not_enrolled", "credits_depleted", "server_503"])
def test_a_collection_that_fails_says_why_and_what_to_do(
    service: Server, chromium: Browser, pretend_x: Emulator, kind: str
) -> None:
    pretend_x.plan(kind, times=None)
    with tab(chromium) as page:
        collect(page, service)
        over(page)
        failed = latest(service)
        reasons = {one["reason"] for one in failed["tags"]} | {failed["error"]} - {None}
        assert failed["state"] == "failed"
        for place in (page.url, service.url + PATH, f"{service.url}/view/health"):
            page.goto(place)
            said = page.get_by_role("main").inner_text()
            assert any(reason[1:] in said and advice(reason) in said for reason in reasons if reason), place
            assert untidy(page) == []
            assert accessibility(page) == []


def test_after_a_failure_collecting_again_makes_it_well(service: Server, chromium: Browser, pretend_x: Emulator) -> None:
    pretend_x.plan("unauthorized", times=None)
    with tab(chromium) as page:
        collect(page, service)
        over(page)
        pretend_x.clear_faults()
        collect(page, service)
        over(page)
        assert latest(service)["state"] == "done"
        status = page.get_by_role("banner").get_by_role("link").filter(has_text="well")
        expect(status).to_have_attribute("href", "/view/health")


def test_the_spend_of_the_month_is_the_api_s(service: Server, chromium: Browser) -> None:
    assert service.request("POST", "/database").status_code in (200, 409)
    wait_until(lambda: latest(service)["state"] != "running")
    spend = service.get("/spend").json()
    with tab(chromium) as page:
        page.goto(service.url + PATH)
        said = page.get_by_role("figure").filter(has=page.locator('a[href="/spend"]')).inner_text()
        for dollars in (spend["month"]["floor_usd"], spend["month"]["ceiling_usd"], spend["budget_usd"], spend["forecast_usd"]):
            assert f"${dollars:,.2f}" in said
        rows = page.get_by_role("region", name="History").get_by_role("row").all_inner_texts()
        assert len(rows) == 1 + count(service)
        assert all(state in row for state, row in zip(states(service), rows[1:], strict=True))


def states(service: Server) -> list[str]:
    return [one["state"] for one in service.get("/collections").json()["collections"]]
