"""What pages change: tags and their terms; by whom, and from where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from emulator import Emulator
from tests.fixtures.browser import accessibility, needs_chromium, tab, untidy
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving

TOKEN, READ_TOKEN = "write-7c1f0ad24b9e58d3", "read-91b0c3e47fa2d685"
POSTS = ("/view/collections", "/view/tags", "/view/tags/devops/untrack")
STATUS = "path => fetch(path, {method: 'POST', body: new URLSearchParams({tag: 'a'})}).then(answer => answer.status)"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Server]:
    """The service without tokens."""
    folder = tmp_path_factory.mktemp("changing")
    with serving(folder, **environment(folder, pretend_x)) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Server]:
    """The service with tokens."""
    folder = tmp_path_factory.mktemp("guarded")
    with serving(folder, **environment(folder, pretend_x), API_TOKEN=TOKEN, API_READ_TOKEN=READ_TOKEN) as server:
        yield server


def tracked(service: Server, **more: Any) -> dict[str, Any]:
    """Return the terms of each tracked tag."""
    return {one["tag"]: one["terms"] for one in service.get("/tags", **more).json()["tags"]}


def form(page: Page) -> Locator:
    """Return the form that tracks a tag or sets its terms."""
    return page.locator('form[action="/view/tags"]')


def fill(page: Page, **values: str) -> None:
    for name, value in values.items():
        form(page).locator(f'[name="{name}"]').fill(value)


def status_of_sending(page: Page) -> int:
    with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        form(page).get_by_role("button").click()
    page.wait_for_load_state()
    return int(answered.value.status)


@needs_chromium
def test_a_tag_is_tracked_on_terms_that_are_changed_and_untracked(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tags")
        fill(page, tag="Chaos", lang="en, de", tw_number="50")
        form(page).get_by_label("replies").check()
        assert status_of_sending(page) == 303
        assert tracked(service)["#Chaos"] == {"lang": ["de", "en"], "exclude": ["replies"], "tw_number": 50}
        page.get_by_role("main").get_by_role("link", name="#Chaos", exact=True).click()
        fill(page, lang="", tw_number="")
        assert form(page).get_by_label("replies").is_checked()
        assert status_of_sending(page) == 303
        assert tracked(service)["#Chaos"] == {"lang": [], "exclude": ["replies"], "tw_number": None}
        page.get_by_role("button", name="Untrack #Chaos").click()
        expect(page.get_by_role("link", name="#Chaos", exact=True)).to_have_count(0)
        assert "#Chaos" not in tracked(service)
        assert untidy(page) == []


@needs_chromium
@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"tag": "two words", "lang": "en"}, ["tag"]),
        ({"tag": "chaos", "lang": "english"}, ["lang"]),
        ({"tag": "chaos", "tw_number": "5"}, ["tw_number"]),
        ({"tag": "chaos", "tw_number": "many", "lang": "<b>"}, ["tw_number", "lang"]),
    ],
)
def test_what_is_refused_is_kept_and_its_fault_is_said(
    service: Server, chromium: Browser, values: dict[str, str], wrong: list[str]
) -> None:
    before = tracked(service)
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tags")
        fill(page, **values)
        assert status_of_sending(page) == 400
        page.get_by_role("alert").wait_for()
        for name, value in values.items():
            own = form(page).locator(f'[name="{name}"]')
            assert own.input_value() == value
            if name in wrong:
                expect(own).to_have_attribute("aria-invalid", "true")
                said = page.locator(f"#{own.get_attribute('aria-describedby')}").inner_text()
                assert said
                assert page.get_by_role("alert").inner_text().startswith("Nothing was changed")
            else:
                assert own.get_attribute("aria-invalid") is None
        assert accessibility(page) == []
    assert tracked(service) == before


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
    ],
)
def test_no_other_site_changes_anything(service: Server, path: str, headers: dict[str, str]) -> None:
    before, collections = tracked(service), service.get("/collections").text
    answer = service.request("POST", path, data={"tag": "chaos"}, headers=headers, allow_redirects=False)
    assert answer.status_code == 403
    assert (tracked(service), service.get("/collections").text) == (before, collections)


def test_its_own_origin_may(service: Server) -> None:
    headers = {"Origin": service.url, "Sec-Fetch-Site": "same-origin"}
    answer = service.request("POST", POSTS[1], data={"tag": "own"}, headers=headers, allow_redirects=False)
    assert answer.status_code == 303
    assert "#own" in tracked(service)
    assert service.request("POST", "/view/tags/own/untrack", headers=headers, allow_redirects=False).status_code == 303
    assert service.request("POST", "/view/tags/own/untrack", headers=headers, allow_redirects=False).status_code == 404


def signed_in(page: Page, guarded: Server, path: str, token: str) -> None:
    page.goto(guarded.url + path)
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")
    page.wait_for_url(guarded.url + path)


@needs_chromium
def test_who_may_only_read_has_no_buttons_and_changes_nothing(guarded: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        signed_in(page, guarded, "/view/tags", READ_TOKEN)
        for path in ("/view/tags", "/view/tags/devops", "/view/collections", "/view/collections/new"):
            page.goto(guarded.url + path)
            assert page.get_by_role("main").locator('form[method="post"]').count() == 0, path
            assert untidy(page) == []
            assert accessibility(page) == []
        assert [page.evaluate(STATUS, path) for path in POSTS] == [403, 403, 403]


@needs_chromium
def test_who_may_write_can_do_all(guarded: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        signed_in(page, guarded, "/view/tags", TOKEN)
        fill(page, tag="writer")
        assert status_of_sending(page) == 303
        page.get_by_role("button", name="Untrack #writer").click()
        expect(page.get_by_role("link", name="#writer", exact=True)).to_have_count(0)
        page.goto(f"{guarded.url}/view/collections/new")
        page.get_by_role("main").get_by_role("button", name="Collect now").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("done", timeout=30_000)


@needs_chromium
def test_after_the_session_has_ended_a_button_leads_to_the_sign_in(guarded: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        signed_in(page, guarded, "/view/tags", TOKEN)
        page.context.clear_cookies()
        fill(page, tag="late")
        assert status_of_sending(page) == 401
        page.get_by_role("link", name="Sign in").click()
        page.get_by_label("Token").wait_for()
    assert "#late" not in tracked(guarded, headers={"Authorization": f"Bearer {TOKEN}"})
