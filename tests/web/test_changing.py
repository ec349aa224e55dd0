"""What pages change: tags and their terms; by whom, and from where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from emulator import Emulator
from tests.fixtures.browser import accessibility, tab, untidy
from tests.fixtures.documents import Element, filled, opened, read, sent
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, listening

TOKEN, READ_TOKEN = "write-7c1f0ad24b9e58d3", "read-91b0c3e47fa2d685"
POSTS = ("/view/collections", "/view/tags", "/view/tags/devops/untrack")
PAGES = ("/view/tags", "/view/tags/devops", "/view/collections", "/view/collections/new")
FOREIGN = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://elsewhere.example"},
    {"Origin": "null"},
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Service]:
    """The service without tokens."""
    folder = tmp_path_factory.mktemp("changing")
    with listening(folder, **environment(folder, pretend_x)) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Service]:
    """The service with tokens."""
    folder = tmp_path_factory.mktemp("guarded")
    with listening(folder, **environment(folder, pretend_x), API_TOKEN=TOKEN, API_READ_TOKEN=READ_TOKEN) as running:
        yield running


def session(guarded: Service, token: str) -> dict[str, str]:
    """Sign in, and return the header that keeps the session."""
    page = opened(guarded, "/sign-in?next=/view/tags")
    form = page.one("form")
    answer = guarded.request("POST", f"/{form['action']}", data=filled(form, token=token), allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/view/tags")
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def tracked(service: Service, **headers: str) -> dict[str, Any]:
    """Return the terms of each tracked tag."""
    return {one["tag"]: one["terms"] for one in service.get("/tags", headers=headers).json()["tags"]}


def form(page: Element) -> Element:
    """Return the form that tracks a tag or sets its terms."""
    return page.one("form", action="/view/tags")


def test_a_tag_is_tracked_on_terms_that_are_changed_and_untracked(service: Service) -> None:
    typed = {"tag": "Chaos", "lang": "en, de", "tw_number": "50", "exclude": "replies"}
    answer = sent(service, form(opened(service, "/view/tags")), **typed)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/view/tags#tag-Chaos")
    assert tracked(service)["#Chaos"] == {"lang": ["de", "en"], "exclude": ["replies"], "tw_number": 50}
    assert opened(service, "/view/tags").one("tr", id="tag-Chaos").one("th").one("a")["href"] == "/view/tags/Chaos"
    page = opened(service, "/view/tags/Chaos")
    assert "checked" in page.one("input", value="replies").attributes
    assert sent(service, form(page), lang="", tw_number="").status_code == 303
    assert tracked(service)["#Chaos"] == {"lang": [], "exclude": ["replies"], "tw_number": None}
    untrack = opened(service, "/view/tags").one("form", action="/view/tags/Chaos/untrack")
    assert sent(service, untrack).headers["Location"] == "/view/tags"
    assert opened(service, "/view/tags").all("tr", id="tag-Chaos") == []
    assert "#Chaos" not in tracked(service)
    assert sent(service, untrack).status_code == 404


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"tag": "two words", "lang": "en"}, ["tag"]),
        ({"tag": "chaos", "lang": "english"}, ["lang"]),
        ({"tag": "chaos", "tw_number": "5"}, ["tw_number"]),
        ({"tag": "chaos", "tw_number": "many", "lang": "<b>"}, ["tw_number", "lang"]),
    ],
)
def test_what_is_refused_is_kept_and_its_fault_is_said(service: Service, values: dict[str, str], wrong: list[str]) -> None:
    before = tracked(service)
    answer = sent(service, form(opened(service, "/view/tags")), **values)
    assert answer.status_code == 400
    page = read(answer.text)
    assert page.one(role="alert").words.startswith("Nothing was changed")
    assert dict(filled(form(page))) == {"lang": "", "tw_number": ""} | values
    for name in values:
        own = form(page).one("input", name=name)
        assert own.attributes.get("aria-invalid") == ("true" if name in wrong else None)
        assert name not in wrong or page.one(id=own["aria-describedby"]).words
    assert tracked(service) == before


def test_no_other_site_changes_anything_and_its_own_origin_may(service: Service) -> None:
    before, collections = tracked(service), service.get("/collections").text
    for headers in FOREIGN:
        for path in POSTS:
            answer = service.request("POST", path, data={"tag": "chaos"}, headers=headers, allow_redirects=False)
            assert answer.status_code == 403, (path, headers)
    assert (tracked(service), service.get("/collections").text) == (before, collections)
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert service.request("POST", POSTS[1], data={"tag": "own"}, headers=own, allow_redirects=False).status_code == 303
    assert "#own" in tracked(service)


def test_who_may_only_read_has_no_buttons_and_changes_nothing(guarded: Service) -> None:
    reader, writer = session(guarded, READ_TOKEN), session(guarded, TOKEN)
    for path in PAGES:
        assert opened(guarded, path, reader).one("main").all("form", method="post") == [], path
        assert opened(guarded, path, writer).one("main").all("a", "form", "button"), path
    for path in POSTS:
        answer = guarded.request("POST", path, data={"tag": "a"}, headers=reader, allow_redirects=False)
        assert answer.status_code == 403
    assert sent(guarded, form(opened(guarded, "/view/tags", writer)), writer, tag="writer").status_code == 303
    assert "#writer" in tracked(guarded, **reader)


def test_after_the_session_has_ended_a_button_leads_to_the_sign_in(guarded: Service) -> None:
    writer = session(guarded, TOKEN)
    own = form(opened(guarded, "/view/tags", writer))
    answer = sent(guarded, own, {"Referer": "http://localhost/view/tags?tz=UTC"}, tag="late")
    assert answer.status_code == 401
    [sign_in] = [one["href"] for one in read(answer.text).all("a") if one.words == "Sign in"]
    assert sign_in == f"/sign-in?next={quote('/view/tags?tz=UTC', safe='/')}"
    assert opened(guarded, sign_in).one("input", name="next")["value"] == "/view/tags?tz=UTC"
    assert "#late" not in tracked(guarded, **writer)


def signed_in(page: Page, guarded: Service, path: str, token: str) -> None:
    page.goto(guarded.url + path)
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")
    page.wait_for_url(guarded.url + path)


@pytest.mark.browser
def test_who_may_write_can_do_all(guarded: Service, chromium: Browser) -> None:
    with tab(chromium) as page:
        signed_in(page, guarded, "/view/tags", TOKEN)
        own = page.locator('form[action="/view/tags"]')
        own.locator('[name="tag"]').fill("two words")
        own.get_by_role("button").click()
        page.get_by_role("alert").wait_for()
        assert accessibility(page) == []
        own.locator('[name="tag"]').fill("person")
        own.get_by_role("button").click()
        page.get_by_role("button", name="Untrack #person").click()
        expect(page.get_by_role("main").get_by_role("link", name="#person", exact=True)).to_have_count(0)
        page.goto(f"{guarded.url}/view/collections/new")
        page.get_by_role("main").get_by_role("button", name="Collect now").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("done")


@pytest.mark.browser
def test_pages_for_readers_are_tidy_and_usable_by_everybody(guarded: Service, chromium: Browser) -> None:
    with tab(chromium) as page:
        signed_in(page, guarded, "/view/tags", READ_TOKEN)
        for path in PAGES:
            page.goto(guarded.url + path)
            assert untidy(page) == []
        assert accessibility(page) == []
