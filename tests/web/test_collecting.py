"""Collecting from a page: the price first, then progress, and advice after a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from threading import Semaphore

import pytest
from playwright.sync_api import Browser, expect

from collector.runs import runs
from emulator import Emulator
from tests.fixtures.archives import Json
from tests.fixtures.browser import accessibility, tab, untidy
from tests.fixtures.documents import opened, sent
from tests.fixtures.readings import settle_authors
from tests.fixtures.service import Service
from tests.fixtures.views import Serve
from tests.fixtures.waiting import wait_until
from text.advice import advice

PATH = "/view/collections"
PRICE = re.compile(r"\$\d+\.\d\d")


@pytest.fixture(scope="module")
def service(serve: Serve) -> Service:
    return serve(X_TIMEOUT="60s", TW_NUMBER="10", MONTHLY_BUDGET_USD="1000")


@pytest.fixture
def gate(gate: Semaphore, service: Service) -> Iterator[Semaphore]:
    """X answers one search for each release; when the test ends, the collection runs to its end."""
    yield gate
    gate.release(100)
    ended(service)


def latest(service: Service) -> Json:
    newest: Json = service.get("/collections?limit=1").json()["collections"][0]
    return newest


def ended(service: Service) -> Json:
    """Wait for the newest collection to end, and return it."""
    wait_until(lambda: latest(service)["state"] != "running")
    return latest(service)


def count(service: Service) -> int:
    return len(service.get("/collections").json()["collections"])


def collected(service: Service) -> str:
    """Press the button beside the price, and return the page that it leads to."""
    answer = sent(service, opened(service, f"{PATH}/new").one("form", action=PATH))
    assert answer.status_code == 303
    return answer.headers["Location"]


def test_the_price_is_shown_before_anything_is_bought(service: Service, pretend_x: Emulator) -> None:
    before, bought = count(service), pretend_x.ledger.total().ceiling
    assert opened(service, PATH).one("main").all("a", href=f"{PATH}/new")
    page = opened(service, f"{PATH}/new")
    price = PRICE.search(page.one("form", action=PATH).one("button").words)
    assert price
    assert price[0] in [one.words for one in page.all("dd")]
    assert (count(service), pretend_x.ledger.total().ceiling) == (before, bought)
    assert collected(service) == f"{PATH}/{latest(service)['id']}"
    assert ended(service)["state"] == "done"
    assert count(service) == before + 1
    assert 0 < pretend_x.ledger.total().ceiling - bought <= float(price[0][1:]) * 1_000_000


def test_pages_show_one_price_once_it_is_known_whether_x_charges_for_authors(serve: Serve) -> None:
    one = serve(TW_NUMBER="10")
    assert "probably" in opened(one, PATH).one("figure", id="spend").words
    assert "probably for its author too" in opened(one, f"{PATH}/new").one("main").words
    settle_authors(one.collector.database, charged=False)
    with one.collector.database.writing() as session:
        runs.begin(session, [], token=1)
    said = opened(one, PATH).one("figure", id="spend").words
    assert "X did not charge for authors: $2.45 of $2.46 explained" in said
    assert "probably" not in said
    assert "$0.00 to" not in said
    page = opened(one, f"{PATH}/new")
    assert "not for its author" in page.one("main").words
    assert "at most $0.15" in page.one("form", action=PATH).one("button").words
    assert " to $" not in opened(one, f"{PATH}/1").one("dl").words


def test_the_price_has_all_authors_where_they_are_looked_up(serve: Serve) -> None:
    one = serve(TW_NUMBER="10", AUTHORS="auto")
    settle_authors(one.collector.database)
    page = opened(one, f"{PATH}/new")
    assert "each author that is looked up, once a week at most" in page.one("main").words
    assert "at most $0.45" in page.one("form", action=PATH).one("button").words
    assert one.get("/spend").json()["authors_read"] == "lookup"


def test_a_request_that_the_button_does_not_send_buys_nothing(service: Service) -> None:
    before = count(service)
    for path, body in ((PATH, "tags=sre"), (f"{PATH}?tags=sre", "")):
        refused = service.request("POST", path, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert refused.status_code == 400
    assert count(service) == before


def test_a_second_collection_leads_to_the_one_that_runs(service: Service, gate: Semaphore) -> None:
    page, before = opened(service, f"{PATH}/new"), count(service)
    running = collected(service)
    answer = sent(service, page.one("form", action=PATH))
    assert (answer.status_code, answer.headers["Location"]) == (303, running)
    other = opened(service, f"{PATH}/new").one("main")
    assert other.one("a", href=running).words == f"Collection {latest(service)['id']}"
    assert other.all("button") == []
    progress = opened(service, running)
    assert (progress.one("progress")["value"], progress.one("progress")["max"]) == ("0", "3")
    assert progress.one("noscript").one("meta")["http-equiv"] == "refresh"
    gate.release(100)
    assert ended(service)["state"] == "done"
    assert count(service) == before + 1
    assert opened(service, running).all("progress", "noscript") == []


def test_without_tracked_tags_a_browser_is_redirected_to_advice(service: Service) -> None:
    own = opened(service, f"{PATH}/new").one("form", action=PATH)
    tags = [one["tag"][1:] for one in service.get("/tags").json()["tags"]]
    assert {service.request("DELETE", f"/tags/{tag}").status_code for tag in tags} == {204}
    answer = sent(service, own)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PATH}/new")
    assert service.request("POST", PATH).headers["Content-Type"] == "application/problem+json"
    assert opened(service, f"{PATH}/new").one("main").one("a", href="/view/tags#track")
    assert {service.request("PUT", f"/tags/{tag}").status_code for tag in tags} == {201}


@pytest.mark.parametrize(("fault", "kind"), [("credits_depleted", "credits"), ("server_503", "unwell")])
def test_a_failed_collection_shows_reason_and_advice_until_one_succeeds(
    service: Service, pretend_x: Emulator, fault: str, kind: str
) -> None:
    pretend_x.plan(fault, times=None)
    where, failed = collected(service), ended(service)
    pretend_x.clear_faults()
    reasons = {one["reason"] for one in failed["tags"]} | {failed["error"]}
    assert failed["state"] == "failed"
    for place in (where, PATH, "/view/health"):
        said = opened(service, place).one("main").words
        assert any(reason[1:] in said and advice(kind) in said for reason in reasons if reason), place
    collected(service)
    assert ended(service)["state"] == "done"
    status = opened(service, PATH).one("a", class_="status level-ok")
    assert "OK" in status.words


def test_the_spend_of_the_month_is_the_api_s(service: Service) -> None:
    assert collected(service)
    assert ended(service)["state"] == "done"
    spend, page = service.get("/spend").json(), opened(service, PATH)
    said = page.one("figure", id="spend").words
    for dollars in (spend["month"]["floor_usd"], spend["month"]["ceiling_usd"], spend["budget_usd"], spend["forecast_usd"]):
        assert f"${dollars:,.2f}" in said
    states = [one["state"] for one in service.get("/collections").json()["collections"]]
    shown = [one.words for one in page.one("section", aria_labelledby="history").one("tbody").all("tr")]
    assert all(state in row for state, row in zip(states, shown, strict=True))


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False])
def test_the_progress_bar_moves_and_the_page_ends_with_the_result(
    service: Service, chromium: Browser, gate: Semaphore, scripts: bool
) -> None:
    with tab(chromium, java_script_enabled=scripts) as page:
        page.goto(service.url + PATH)
        page.get_by_role("link", name="Collect now").first.click()
        page.get_by_role("main").get_by_role("button", name="Collect now").click()
        bar = page.get_by_role("progressbar")
        expect(bar).to_have_attribute("value", "0")
        page.evaluate("window.same = true")
        gate.release()
        expect(bar).to_have_attribute("value", "1")
        assert not scripts or (page.evaluate("window.same"), accessibility(page)) == (True, [])
        kept = page.get_by_role("main").get_by_role("link", name="#").first
        kept.focus()
        gate.release(100)
        expect(page.get_by_role("heading", level=1).get_by_text("done")).to_be_visible()
        assert not scripts or page.evaluate("window.same")
        if scripts:
            expect(kept).to_be_focused()
        expect(bar).to_have_count(0)
        assert page.url == f"{service.url}{PATH}/{ended(service)['id']}"
        assert untidy(page) == []
