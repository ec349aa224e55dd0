"""The list of tweets: page by page each of them once and in order, and files of exactly these."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from emulator import Emulator
from tests.fixtures.archives import Json, own_row, tweet_id
from tests.fixtures.browser import needs_chromium, tab, untidy
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.views import imported

pytestmark = needs_chromium

NOW = datetime.now(UTC).replace(microsecond=0)
SHOWN = "articles => articles.map(one => one.querySelector('a[href^=\"/tweets/\"]').pathname.replace('/tweets/', ''))"
SORTS: dict[str, Callable[[Json], Any]] = {
    "-created": lambda one: (one["created"], int(one["id"])),
    "created": lambda one: (one["created"], int(one["id"])),
    "-followers": lambda one: (one["followers"], int(one["id"])),
    "followers": lambda one: (one["followers"], int(one["id"])),
    "-id": lambda one: int(one["id"]),
    "id": lambda one: int(one["id"]),
}


def row(at: int, *, before: timedelta | None = None) -> Json:
    """Return a tweet of the last days; four of them are of the same second, which only their ids tell apart."""
    created = NOW - (before or timedelta(minutes=40 * (at // 4) + 60))
    who: Json = {"username": f"user_{at % 5}", "author": f"User {at % 5}", "followers": at % 5 * 10}
    when: Json = {"id": str(tweet_id(created, at)), "created": created.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return own_row(text=f"{'odd' if at % 2 else 'even'} tweet {at} #sre", **when, **who)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> dict[str, str]:
    """Return the settings of a database of 130 tweets."""
    folder = tmp_path_factory.mktemp("search")
    settings = environment(folder, pretend_x)
    imported(settings, folder, *(row(at) for at in range(130)))
    return settings


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, stored: dict[str, str]) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("log"), **stored) as server:
        yield server


def ids(page: Page) -> list[str]:
    found: list[str] = page.get_by_role("article").evaluate_all(SHOWN)
    return found


def turned(page: Page) -> bool:
    """Go to the next page, if there is one."""
    following = page.locator('a[rel="next"]')
    if not following.count():
        return False
    with page.expect_navigation():
        following.click()
    return True


def all_ids(page: Page) -> list[str]:
    """Return the ids on this page and on all that follow."""
    found = ids(page)
    while turned(page):
        found += ids(page)
    return found


def exported(service: Server, page: Page, form: str) -> list[str]:
    """Return the ids in a file that the page offers."""
    text = service.get(page.get_by_role("link", name=form, exact=True).get_attribute("href") or "").text
    if form == "CSV":
        return [one["id"] for one in csv.DictReader(io.StringIO(text))]
    if form == "ids":
        return text.split()
    rows = json.loads(text)["tweets"] if form == "JSON" else [json.loads(line) for line in text.splitlines()]
    return [one["id"] for one in rows]


@pytest.mark.parametrize("sort", SORTS)
def test_the_pages_have_each_tweet_once_and_in_order(service: Server, chromium: Browser, sort: str) -> None:
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tweets?sort={sort}&period=all")
        assert page.locator('[name="sort"]').input_value() == sort
        assert page.get_by_text("130 tweets").count() == 1
        found = all_ids(page)
        assert untidy(page) == []
    tweets = service.get("/tweets").json()["tweets"]
    assert found == [one["id"] for one in sorted(tweets, key=SORTS[sort], reverse=sort.startswith("-"))]


@pytest.mark.parametrize("query", ["", "q=odd&sort=created", "author=user_3&period=24h", "tag=sre&min_followers=20&limit=200"])
def test_the_files_hold_exactly_what_the_pages_show(service: Server, chromium: Browser, query: str) -> None:
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tweets?{query}")
        files = {form: exported(service, page, form) for form in ("CSV", "NDJSON", "JSON", "ids")}
        found = all_ids(page)
    assert 0 < len(found) <= 130
    assert files == dict.fromkeys(files, found)


def test_another_list_is_noticed(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tweets?q=odd")
        files = exported(service, page, "ids")
        page.goto(f"{service.url}/view/tweets?q=even")
        assert all_ids(page) != files


def test_time_that_passes_and_new_tweets_move_nothing(
    tmp_path_factory: pytest.TempPathFactory, service: Server, chromium: Browser, stored: dict[str, str]
) -> None:
    """A period is pinned with the first page that is turned: what is new since stands before, and is not shown twice."""
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tweets?period=30d")
        before = service.get("/view/tweets?period=30d").text
        first = ids(page)
        assert turned(page)
        assert "period=" not in page.url
        assert "since=" in page.url
        new = row(900, before=timedelta(seconds=5))
        imported(stored, tmp_path_factory.mktemp("new"), new)
        rest = all_ids(page)
        assert new["id"] not in rest
        assert len({*first, *rest}) == len([*first, *rest]) == 130
        page.goto(f"{service.url}/view/tweets?period=30d")
        assert ids(page)[0] == new["id"]
        assert service.get("/view/tweets?period=30d").text != before
    assert service.request("DELETE", f"/tweets/{new['id']}").status_code == 204


def test_where_nothing_is_found_all_there_is_is_offered(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tweets?author=user_3&until=2016-01-01T00:00:00Z")
        assert page.get_by_role("article").count() == 0
        page.get_by_role("main").locator('a[href*="period=all"]').click()
        page.get_by_role("article").first.wait_for()
        assert "author=user_3" in page.url
        assert len(all_ids(page)) == 26
