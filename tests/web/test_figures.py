"""Figures have the same numbers as their CSV files and the API, and show a planted burst and gap."""

from __future__ import annotations

import csv
import io
from collections import Counter
from contextlib import suppress
from datetime import datetime
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, expect

from tests.fixtures import views
from tests.fixtures.browser import document, tab, untidy
from tests.fixtures.documents import Element, opened
from tests.fixtures.service import Service
from tests.fixtures.views import HOUR, HOUR_NOW, WEEK, caption, column, deferred, figure, figures, number, rows, starts, total
from text import phrases

PATHS = ("/", "/view/authors/ada_3", "/?lang=pt&period=30d&tz=Asia%2FTokyo")


@pytest.fixture(scope="module")
def service(planted_service: Service) -> Service:
    return planted_service


@pytest.fixture(scope="module")
def overview(service: Service) -> Element:
    return opened(service, "/")


def filed(service: Service, page: Element, name: str) -> list[dict[str, str]]:
    """Return the rows of the CSV that a figure links to."""
    [path] = [one["href"] for one in figure(page, name).all("a", href=True) if ".csv" in one["href"]]
    answer = service.get(path)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def ways(value: str) -> set[str]:
    """Return the texts that a page may show for a value of the CSV."""
    found = {value or phrases.UNKNOWN, value, value.lstrip("'")}
    with suppress(ValueError):
        found |= {phrases.number(float(value)), phrases.share(float(value)), phrases.times(float(value))}
    return found


def differing(service: Service, page: Element, name: str) -> list[str]:
    """Return the differences between a figure's table and its CSV, without times (see `starts`) and text after names."""
    filed_rows = filed(service, page, name)
    header, *table = rows(page, name)
    known = [(at, key) for at, title in enumerate(header) for key in filed_rows[0] if title in (key, key.partition(" (")[0])]
    known = [(at, key) for at, key in known if key != "From"]
    assert len(known) >= 2, header
    compared = [(row[at], one[key]) for row, one in zip(table, filed_rows, strict=False) for at, key in known]
    unlike = [(shown, value) for shown, value in compared if not {shown, shown.partition(" ")[0]} & ways(value)]
    return [
        f"{shown} is not {value}" for shown, value in unlike if not shown.startswith(f"{value} @")
    ]  # a text with its author


@pytest.mark.parametrize("path", PATHS)
def test_the_file_of_each_figure_has_the_numbers_of_its_table(service: Service, path: str) -> None:
    page = opened(service, path)
    names = [name for name in figures(page) if rows(page, name)]
    assert {"volume", "languages", "hashtags"} <= set(names)
    assert {name: faults for name in names if (faults := differing(service, page, name))} == {}
    assert [one["From"] for one in filed(service, page, "volume")] == starts(page, "volume")


@pytest.mark.parametrize(
    ("name", "by"), [("tags", "tag"), ("languages", "lang"), ("countries", "country"), ("active", "author")]
)
def test_engagement_is_that_of_the_facets(service: Service, name: str, by: str) -> None:
    sums = {row["value"]: row["engagement"] for row in service.get(f"/facets?by={by}").json()["facets"]}
    ranked = filed(service, opened(service, "/?period=all"), name)
    assert any(int(row["Engagement"] or 0) for row in ranked)
    for row in ranked:
        value = sums.get(next(iter(row.values())).lstrip("'@"))
        assert row["Engagement"] == ("" if value is None else str(value)), row


def test_captions_say_what_leads(service: Service, overview: Element) -> None:
    assert total(overview, "Tweets").removeprefix("at least ").split()[0] in caption(overview, "volume")
    pages = {"tags": overview} | {name: deferred(service, overview, name) for name in ("followers", "active")}
    for (name, page), title in zip(pages.items(), ("Tweets", "Followers", "Tweets"), strict=True):
        assert differing(service, page, name) == []
        leader, value = filed(service, page, name)[0], column(page, name, title)[0]
        assert next(iter(leader.values())).lstrip("'") in caption(page, name)
        assert value in caption(page, name)
    for name in ("languages", "countries", "hashtags"):
        assert any(word in caption(overview, name) for word in rows(overview, name)[1][0].split())
        assert column(overview, name, "Share")[0] in caption(overview, name)


def test_the_tag_that_grew_most_is_named(overview: Element) -> None:
    tags, now, before = (column(overview, "tags", title) for title in ("Tag", "Tweets", "Before"))
    growth = {tag: (number(is_now) or 0) - (number(was) or 0) for tag, is_now, was in zip(tags, now, before, strict=True)}
    assert max(growth.values()) > 0
    assert f"{max(growth, key=lambda tag: growth[tag])} grew most, by {max(growth.values())} " in caption(overview, "volume")


def test_a_planted_burst_and_a_planted_gap_are_marked(service: Service, overview: Element) -> None:
    notes = dict(zip(starts(overview, "volume"), column(overview, "volume", "Note"), strict=True))
    assert [start for start, note in notes.items() if "spike" in note] == [f"{views.BURST:%Y-%m-%dT%H:%M:%SZ}"]
    assert [start for start, note in notes.items() if "gap in #devops" in note] == [f"{views.GAP[0]:%Y-%m-%dT%H:%M:%SZ}"]
    assert f"peaked at {views.BURST_SIZE + 1}" in caption(overview, "volume")  # in its hour
    of = {tag: column(opened(service, f"/view/tags/{tag}"), "volume", "Note") for tag in ("sre", "devops")}
    assert {tag: sum("gap" in note for note in notes) for tag, notes in of.items()} == {"sre": 0, "devops": 1}  # by day


def test_the_still_picture_draws_the_counts(overview: Element) -> None:
    own = figure(overview, "volume")
    *_, now = own.all("polyline")
    heights = [float(point.split(",")[1]) for point in now["points"].split()]
    counts = [number(one) for one in column(overview, "volume", "Tweets")]
    assert len(heights) == len(counts) - len(own.all("tr", class_="open"))
    assert (
        heights.index(min(heights)) == counts.index(views.BURST_SIZE + 4) - 1
    )  # the first bucket begins before the time shown, and is not drawn


def test_the_week_before_stands_beside_each_bucket(service: Service, overview: Element) -> None:
    begun = [datetime.fromisoformat(start) for start in starts(overview, "volume")]
    assert {later - start for start, later in pairwise(begun)} == {4 * HOUR}
    first = HOUR_NOW - WEEK  # the time shown begins with an hour
    window = {"since": f"{first - WEEK:%Y-%m-%dT%H:%M:%SZ}", "until": f"{first:%Y-%m-%dT%H:%M:%SZ}", "bucket": "hour"}
    timeline = service.get("/timeline", params=window).json()["timeline"]
    known = Counter[datetime]()
    for one in timeline:
        known[max(start for start in begun if start - WEEK <= datetime.fromisoformat(one["start"]))] += one["tweets"]
    before = [number(one) for one in column(overview, "volume", "7 days before")]
    assert before[:-1] == [known[start] for start in begun[:-1]]  # the last one runs
    earlier, (tweets, change) = sum(filter(None, before)), total(overview, "Tweets").split(maxsplit=1)
    assert sum(known.values()) >= earlier >= 80
    assert change == f"+{phrases.share(((number(tweets) or 0) - earlier) / earlier)}"


@pytest.mark.parametrize(("path", "query"), [("/view/tags/devops", "tag=devops"), ("/view/authors/ada_3", "author=ada_3")])
def test_the_page_of_a_tag_or_an_author_shows_only_their_tweets(service: Service, path: str, query: str) -> None:
    page = opened(service, f"{path}?period=all")
    tweets = service.get(f"/tweets?{query}&sort=-created").json()["tweets"]
    assert number(total(page, "Tweets")) == len(tweets) == sum(number(one) or 0 for one in column(page, "volume", "Tweets"))
    hrefs = [link["href"] for one in page.all("article") for link in one.all("a") if link["href"].startswith("/tweets/")]
    assert hrefs == [f"/tweets/{one['id']}" for one in tweets[: len(hrefs)]]
    assert hrefs


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False])
def test_a_figure_is_drawn_by_scripts_and_without_them_a_picture_stands_there(
    service: Service, chromium: Browser, overview: Element, scripts: bool
) -> None:
    with tab(chromium, java_script_enabled=scripts) as page:
        page.goto(service.url)
        own = page.locator("figure#volume")
        expect(own.locator("canvas")).to_have_count(int(scripts))
        expect(own.locator("polyline").last).to_be_visible(visible=not scripts)
        assert rows(document(page), "volume") == rows(overview, "volume")
        assert untidy(page) == []
