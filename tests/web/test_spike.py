"""A spike is told on the chart's page and opens its own page, and so does any other bucket of a chart."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect
from werkzeug.datastructures import MultiDict

from queries.causes import BucketAuthor, Causes, TermCause
from queries.peaks import Peak, bucket_finding, leading_terms, peak_finding
from tests.fixtures.archives import Json
from tests.fixtures.browser import tab, untidy
from tests.fixtures.documents import Element, opened
from tests.fixtures.service import Service
from tests.fixtures.views import HOUR, HOUR_NOW, Serve, caption, figure, written
from web.view_query import ViewQuery, parse_view_query

PEAK = HOUR_NOW - 30 * HOUR
SAID = "Tweets peaked at 26 on Mon 23 Nov 2026, 04:00, 13 times the usual: “outage” and “status page”, 46 % by @bea."


def tweet(at: int, created: datetime, text: str, username: str) -> Json:
    return written(created, at, f"{text} #sre", username=username, author=username.title())


def tweets() -> list[Json]:
    """Return two tweets an hour of ten days, and 24 more in one hour, of which half are of one author."""
    usual = [(HOUR_NOW - at * HOUR + HOUR / 6, at) for at in range(1, 240)]
    rows = [tweet(at % 4096, when, f"quiet night {at}", f"ada_{at % 13}") for when, at in usual]
    rows += [tweet(at % 4096, when + HOUR / 6, f"small release {at}", f"cem_{at % 11}") for when, at in usual]
    burst = [(at, PEAK + HOUR / 2 + timedelta(seconds=at)) for at in range(24)]
    return rows + [tweet(at, when, f"outage {at}: status page", "bea" if at % 2 else f"dia_{at}") for at, when in burst]


@pytest.fixture(scope="module")
def service(serve: Serve) -> Service:
    return serve(*tweets())


def table(page: Element, title: str) -> list[list[str]]:
    [found] = [one for one in page.all("table") if one.one("caption").words == title]
    return [[cell.words for cell in row.all("th", "td")] for row in found.all("tr")]


def test_the_chart_says_first_when_it_peaked_and_why(service: Service) -> None:
    page = opened(service, "/")
    assert caption(page, "volume").replace("\xa0", " ").startswith(SAID)
    [look] = [one for one in page.all("li") if one.words.startswith("Look:")]
    assert look.one("a")["href"].endswith("bucket=hour&start=2026-11-23T04%3A00%3A00Z")  # the chart's own bars have four hours
    row = figure(page, "volume").one("tr", class_="spike")
    assert "bucket=4h&start=2026-11-23T04" in row.one("a")["href"]


def test_a_spike_opens_a_page_with_what_the_api_answers(service: Service) -> None:
    [path] = [one.one("a")["href"] for one in opened(service, "/").all("li") if one.words.startswith("Look:")]
    since = (HOUR_NOW - 40 * HOUR).isoformat().replace("+00:00", "Z")
    page, [spike] = opened(service, path), service.get(f"/spikes?since={since}").json()["spikes"]
    assert SAID in page.one("main").words.replace("\xa0", " ")
    terms = [[one["term"], str(one["tweets"]), "92 %", "new"] for one in spike["terms"]]
    assert table(page, "Words and pairs of words")[1:] == terms
    assert table(page, "Most active authors")[1:] == [["@bea", "12", "46 %"]]
    assert [one["href"] for one in page.all("a") if one.words.startswith("JSON")] == [f"/tweets/{one}" for one in spike["top"]]


def test_any_other_hour_or_day_opens_a_page_that_says_that_it_is_no_spike(service: Service) -> None:
    links = [one["href"] for one in figure(opened(service, "/view/tags/sre?period=24h"), "volume").one("tbody").all("a")]
    said = opened(service, links[0]).one("main").words
    assert "of #sre" in said
    assert "2 tweets, which is no spike. 2 are expected." in said
    day = opened(service, "/view/spike?start=2026-11-24T00:00:00Z&bucket=day&period=9d").one("main").words
    assert "20 tweets so far: this time is not over" in day
    old = opened(service, "/view/spike?start=2010-01-01T00:00:00Z").one("main").words
    assert "0 tweets so far: this time is not over, or was not collected completely." in old


@pytest.mark.parametrize(("bucket", "start"), [("4h", "04:00"), ("15m", "04:30")])
def test_a_bucket_that_a_chart_marks_for_its_hour_leads_to_that_spike(service: Service, bucket: str, start: str) -> None:
    path = "/view/spike?since=2026-11-18T10:00:00Z&bucket={}&start=2026-11-23T{}:00Z"
    page = opened(service, path.format(bucket, start))
    words = page.one("main").words.replace("\xa0", " ")
    assert "Look: the hour from Mon 23 Nov 2026, 04:00 is a spike of 26 tweets. See why" in words
    [leads] = [one["href"] for one in page.all("a") if one.words == "See why"]
    assert SAID in opened(service, leads).one("main").words.replace("\xa0", " ")
    other = opened(service, path.format("4h", "12:00")).one("main").words
    assert "4 hours, times in UTC" in other
    assert "8 tweets, which is no spike." in other
    assert "Look:" not in other


def test_a_bucket_with_a_spike_is_not_said_to_be_none() -> None:
    peak = Peak(PEAK, PEAK + 4 * HOUR, 92, 62, False, False, (), Causes(0, 0, [], [], [], [], []))
    assert bucket_finding(peak, asked().zone, has_spikes=True) == "92 tweets. 62 are expected."
    assert bucket_finding(peak, asked().zone) == "92 tweets, which is no spike. 62 are expected."


def test_a_time_that_was_not_collected_is_not_shown_as_zero(service: Service) -> None:
    words = opened(service, "/view/spike?start=2010-01-01T00:00:00Z").one("dl").words
    assert words.startswith("Tweetsat least 0")


def test_a_pair_is_named_in_place_of_its_words() -> None:
    listed = [TermCause(term, tweets, None) for term, tweets in (("page", 20), ("status page", 19), ("down", 9), ("red", 8))]
    assert leading_terms(listed) == ["status page", "down"]
    assert leading_terms([TermCause("page", 30, None), *listed[1:]]) == ["page", "down"]


@pytest.mark.parametrize(
    ("authors", "said"),
    [
        ((40, 21, 5), "mostly by @a0 and @a1, who wrote 61 %"),
        ((70, 5), "mostly by @a0, who wrote 70 %"),
        ((30, 10), "40 % by @a0 and @a1"),
        ((9, 9, 9), ""),
    ],
)
def test_authors_are_named_if_they_wrote_a_third(authors: tuple[int, ...], said: str) -> None:
    why = Causes(0, 0, [], [], [], [BucketAuthor(f"a{at}", tweets) for at, tweets in enumerate(authors)], [])
    found = peak_finding(Peak(PEAK, PEAK + HOUR, 100, 10, True, False, ("#sre",), why), asked().zone).replace("\xa0", " ")
    assert found == f"#sre peaked at 100 on Mon 23 Nov 2026, 04:00, 10 times the usual{said and ': '}{said}."


def asked() -> ViewQuery:
    return parse_view_query(MultiDict(), now=HOUR_NOW)


@pytest.mark.browser
def test_a_point_of_a_chart_opens_by_keys_and_by_a_click(service: Service, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(service.url)
        chart = page.locator("#volume .chart")
        expect(chart.locator(".uplot")).to_be_visible()
        chart.focus()
        for key in ("End", "ArrowLeft"):
            page.keyboard.press(key)
        expect(chart.get_by_role("status")).to_contain_text("04:00: Tweets 8")
        page.keyboard.press("Enter")
        page.wait_for_url("**/view/spike?**start=2026-11-24T04*")
        page.go_back()
        chart.locator(".u-over").click(position={"x": 4, "y": 40})
        page.wait_for_url("**/view/spike?**start=2026-11-17T*")
        assert untidy(page) == []
