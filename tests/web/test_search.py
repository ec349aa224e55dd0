"""The list of tweets has each once and in order, page by page, and its downloads contain exactly these."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from urllib.parse import quote

import pytest

from tests.fixtures.documents import Element, opened
from tests.fixtures.service import Service
from tests.fixtures.views import NOW, imported, planted, set_clock, written

ALL = len(planted())
FORMS = ("CSV", "NDJSON", "JSON", "ids")


@pytest.fixture(scope="module")
def service(planted_service: Service) -> Service:
    return planted_service


def ids(page: Element) -> list[str]:
    links = [link["href"] for one in page.all("article") for link in one.all("a")]
    return [link.removeprefix("/tweets/") for link in links if link.startswith("/tweets/")]


def following(page: Element) -> str | None:
    return page.one("a", rel="next")["href"] if page.all("a", rel="next") else None


def all_ids(service: Service, path: str | None) -> list[str]:
    """Return the ids on this page and on all that follow."""
    found: list[str] = []
    while path:
        page = opened(service, path)
        found, path = found + ids(page), following(page)
    return found


def exported(service: Service, page: Element, form: str) -> list[str]:
    """Return the ids in a file that the page offers."""
    [link] = [one["href"] for one in page.all("a") if one.words == form]
    text = service.get(link).text
    if form == "CSV":
        return [one["id"] for one in csv.DictReader(io.StringIO(text))]
    if form == "ids":
        return text.split()
    rows = json.loads(text)["tweets"] if form == "JSON" else [json.loads(line) for line in text.splitlines()]
    return [one["id"] for one in rows]


@pytest.mark.parametrize("sort", ["-created", "followers", "-id"])
def test_the_pages_have_each_tweet_once_and_in_order(service: Service, sort: str) -> None:
    path = f"/view/tweets?sort={sort}&period=all"
    page = opened(service, path)
    assert page.one("select", name="sort").one("option", selected=True)["value"] == sort
    assert page.one("strong").words == f"{ALL} tweets"
    tweets, field = service.get("/tweets").json()["tweets"], sort.strip("-")
    tweets.sort(key=lambda one: (one[field], int(one["id"])), reverse=sort.startswith("-"))
    assert all_ids(service, path) == [one["id"] for one in tweets]


@pytest.mark.parametrize("query", ["q=odd&sort=created", "author=ada_3&period=24h", "tag=sre&min_followers=2000&limit=200"])
def test_the_files_hold_exactly_what_the_pages_show(service: Service, query: str) -> None:
    page, found = opened(service, f"/view/tweets?{query}"), all_ids(service, f"/view/tweets?{query}")
    assert 0 < len(found) <= ALL
    assert {form: exported(service, page, form) for form in FORMS} == dict.fromkeys(FORMS, found)


def test_time_that_passes_and_new_tweets_move_nothing(service: Service) -> None:
    """A period becomes fixed times with the link to the second page, so new tweets shift nothing."""
    first = opened(service, "/view/tweets?period=30d")
    second = following(first) or ""
    assert "period=" not in second
    assert "since=" in second
    new = written(NOW + timedelta(seconds=5), 900, "late #sre")
    later = NOW + timedelta(days=1)
    imported(service, new, now=later)
    set_clock(service, later)
    rest = all_ids(service, second)
    assert new["id"] not in rest
    assert len({*ids(first), *rest}) == len([*ids(first), *rest]) == ALL
    assert ids(opened(service, "/view/tweets?period=30d"))[0] == new["id"]
    set_clock(service)
    assert service.request("DELETE", f"/tweets/{new['id']}").status_code == 204


def test_what_was_searched_for_is_marked_in_the_text_and_in_links_and_nothing_becomes_markup(service: Service) -> None:
    hostile = '<b>STATUS</b> &amp; Page, page https://x.org/page?a=<i> "status'
    imported(service, written(NOW - timedelta(hours=1), 901, hostile))
    page = opened(service, "/view/tweets?period=all&q=" + quote('"status b page" page -odd'))
    [tweet] = page.all("article")
    assert [one.words for one in tweet.all("mark")] == ["STATUS</b> & Page", "page", "page"]
    assert tweet.one("p").words == '<b>STATUS</b> & Page, page https://x.org/page?a=<i> "status'
    assert not tweet.all("b", "i")
    [link] = [one for one in tweet.all("a") if one["href"].startswith("https://x.org")]
    assert link["href"] == "https://x.org/page?a="
    assert service.request("DELETE", f"/tweets/{ids(page)[0]}").status_code == 204


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ('deploy "status page" failed -outage -"on call" -', "contains: deploy “status page” failed, not: outage, “on call”"),
        ("-outage", "does not contain: outage"),
        ("on call", "contains: on call"),
    ],
)
def test_a_search_is_said_as_people_say_it(service: Service, search: str, said: str) -> None:
    page = opened(service, f"/view/tweets?period=all&has=reply&q={quote(search)}")
    chips = [one.words.removesuffix(" ×") for one in page.all("span", class_="chip")]
    assert chips == ["is a reply", said]
    assert page.one("input", name="q")["value"] == search
    assert [one["value"] for one in page.all("input", name="has") if "checked" in one.attributes] == ["reply"]


def test_an_empty_result_offers_all_time(service: Service) -> None:
    page = opened(service, "/view/tweets?author=ada_3&until=2016-01-01T00:00:00Z")
    assert ids(page) == []
    [everything] = [one["href"] for one in page.one("div", class_="empty").all("a") if "period=all" in one["href"]]
    assert "author=ada_3" in everything
    assert len(all_ids(service, everything)) == len(service.get("/tweets?author=ada_3").json()["tweets"])
