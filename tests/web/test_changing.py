"""Forms that change tags and their rules, and who may use them. tests/security covers other sites and read-only tokens."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from tests.fixtures.browser import accessibility, tab, untidy
from tests.fixtures.documents import Element, filled, opened, read, sent
from tests.fixtures.service import Service
from tests.fixtures.views import Serve

TOKEN, READ_TOKEN = "write-7c1f0ad24b9e58d3", "read-91b0c3e47fa2d685"
PERIOD = "/view/backfill?since=2026-11-01&until=2026-11-02"
PAGES = (
    *("/view/tags", "/view/tags/devops", "/view/tags/devops/untrack", "/view/collections", "/view/collections/new"),
    *("/view/schedule", "/view/saved", PERIOD),
    *("/view/watches?kind=new", "/view/feeds?path=/tweets.atom"),
)


@pytest.fixture(scope="module")
def guarded(serve: Serve) -> Service:
    """The service with tokens."""
    return serve(API_TOKEN=TOKEN, API_READ_TOKEN=READ_TOKEN)


def session(guarded: Service, token: str) -> dict[str, str]:
    """Sign in, and return the header that keeps the session."""
    form = opened(guarded, "/sign-in?next=/view/tags").one("form")
    answer = guarded.request("POST", f"/{form['action']}", data=filled(form, token=token), allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/view/tags")
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def tracked(service: Service, **headers: str) -> dict[str, Any]:
    return {one["tag"]: one["terms"] for one in service.get("/tags", headers=headers).json()["tags"]}


def form(page: Element) -> Element:
    return page.one("form", action="/view/tags")


def rules_form(page: Element) -> Element:
    return page.one("section", aria_labelledby="change").one("form", method="post")


def test_a_tag_is_tracked_and_its_rules_are_changed(service: Service) -> None:
    typed = {"tag": "Chaos", "lang": "en, de", "tw_number": "50", "exclude": "replies"}
    answer = sent(service, form(opened(service, "/view/tags")), **typed)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/view/tags#tag-Chaos")
    assert tracked(service)["#Chaos"] == {"lang": ["de", "en"], "exclude": ["replies"], "tw_number": 50}
    assert opened(service, "/view/tags").one("tr", id="tag-Chaos").one("th").one("a")["href"] == "/view/tags/Chaos"
    page = opened(service, "/view/tags/Chaos")
    assert "checked" in page.one("input", value="replies").attributes
    assert sent(service, rules_form(page), lang="", tw_number="").status_code == 303
    assert tracked(service)["#Chaos"] == {"lang": [], "exclude": ["replies"], "tw_number": None}


def test_untracking_asks_first_says_what_stays_and_offers_to_track_again(service: Service) -> None:
    terms = {"lang": ["en"], "exclude": [], "tw_number": None}
    assert service.request("PUT", "/tags/Chaos", json=terms).ok
    for path in ("/view/tags", "/view/tags/Chaos"):
        assert opened(service, path).all("form", action="/view/tags/Chaos/untrack") == []
        assert opened(service, path).one("main").one("a", href="/view/tags/Chaos/untrack")
    question = opened(service, "/view/tags/Chaos/untrack")
    assert question.one("h1").words == "Stop collecting #Chaos?"
    assert "rules are kept: Languages: en." in question.one("section", aria_labelledby="stays").words
    assert "#Chaos" in tracked(service)
    untrack = question.one("form", action="/view/tags/Chaos/untrack")
    left = sent(service, untrack).headers["Location"]
    page = opened(service, left)
    assert page.one(role="status").words.startswith("#Chaos is no longer collected. Its tweets and rules stay.")
    assert page.all("tr", id="tag-Chaos") == []
    assert "#Chaos" not in tracked(service)
    assert sent(service, untrack).status_code == 404
    assert opened(service, "/view/tags/Chaos/untrack", status=404)
    assert sent(service, page.one(role="status").one("form")).status_code == 303
    assert tracked(service)["#Chaos"] == terms
    assert opened(service, left).all(role="status") == []


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"tag": "two words", "lang": "en"}, ["tag"]),
        ({"tag": "chaos", "tw_number": "many", "lang": "<b>"}, ["tw_number", "lang"]),
    ],
)
def test_a_refused_form_keeps_its_values_and_names_the_error(
    service: Service, values: dict[str, str], wrong: list[str]
) -> None:
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


def test_a_wrong_rule_comes_back_marked_in_the_form_of_the_tags_page(service: Service) -> None:
    before, typed = tracked(service), {"lang": "english", "tw_number": "50", "exclude": "quotes"}
    answer = sent(service, rules_form(opened(service, "/view/tags/devops?period=30d")), **typed)
    page = read(answer.text)
    assert (answer.status_code, page.one("h1").words) == (400, "#devops")
    assert page.one("a", aria_current="true").words == "30 days"
    own = rules_form(page)
    assert dict(filled(own)) == typed
    assert own.one("input", name="lang")["aria-invalid"] == "true"
    assert own.one(id=own.one("input", name="lang")["aria-describedby"]).words
    assert own.one(role="alert").words.startswith("Nothing was changed")
    assert tracked(service) == before
    assert sent(service, own, lang="en").status_code == 303
    assert service.request("PUT", "/tags/devops", json=before["#devops"]).ok


def test_the_rules_of_a_tag_that_is_not_tracked_any_more_stay(service: Service) -> None:
    own = rules_form(opened(service, "/view/tags/devops"))
    assert service.request("DELETE", "/tags/devops").status_code == 204
    assert sent(service, own, lang="en").status_code == 404
    assert "#devops" not in tracked(service)
    assert service.request("PUT", "/tags/devops").status_code == 201


def test_a_read_only_session_has_no_buttons(guarded: Service) -> None:
    reader, writer = session(guarded, READ_TOKEN), session(guarded, TOKEN)
    for path in PAGES:
        assert opened(guarded, path, reader).one("main").all("form", method="post") == [], path
        assert opened(guarded, path, writer).one("main").all("a", "form", "button"), path
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


@pytest.mark.browser
def test_a_session_that_may_write_tracks_untracks_and_collects(guarded: Service, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(f"{guarded.url}/view/tags")
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        own = page.locator('form[action="/view/tags"]')
        own.locator('[name="tag"]').fill("two words")
        own.get_by_role("button").click()
        page.get_by_role("alert").wait_for()
        assert accessibility(page) == []
        own.locator('[name="tag"]').fill("person")
        own.get_by_role("button").click()
        page.get_by_role("link", name="Untrack … #person").click()
        assert accessibility(page) == []
        page.get_by_role("button", name="Untrack #person").click()
        assert accessibility(page) == []
        expect(page.get_by_role("main").get_by_role("link", name="#person", exact=True)).to_have_count(0)
        page.goto(f"{guarded.url}/view/collections/new")
        page.get_by_role("main").get_by_role("button", name="Collect now").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("done")
        assert [fault for fault in untidy(page) if "400 (BAD REQUEST)" not in fault] == []
