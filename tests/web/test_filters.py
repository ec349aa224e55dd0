"""The filters: filled in, they lead to a URL in the API's words, and what is shown there is what the API answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page

from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.archives import Json
from tests.fixtures.browser import document, tab, untidy
from tests.fixtures.documents import Element, opened, read, sent
from tests.fixtures.service import Service
from tests.fixtures.views import NOW, column, holding, number, said, starts, total, written

DAY, HOUR_S = timedelta(days=1), 3600
TAGS, LANGS = (["#sre"], ["#devops"], ["#devops", "#sre"]), ("en", "pt", None)
COUNTRIES = (("Peru", "PE"), ("Chile", "CL"), (None, None))
SINCE, UNTIL = NOW - 3 * DAY, NOW - DAY
LENGTHS = {"24h": DAY, "7d": 7 * DAY}
FORM: dict[str, tuple[dict[str, str], dict[str, list[str]]]] = {
    "nothing": ({}, {}),
    "a tag": ({"tag": "sre"}, {}),
    "words": ({"q": "incident again"}, {}),
    "a language": ({"lang": "pt"}, {}),
    "a country": ({"country": "Peru"}, {}),
    "an author": ({"author": "@user_3"}, {}),
    "followers": ({"min_followers": " 40 "}, {"min_followers": ["40"]}),
    "a zone": ({"tz": "Asia/Kathmandu"}, {}),
    "a day": ({"period": "24h"}, {}),
    "all there is": ({"period": "all"}, {}),
    "several": ({"tag": "devops", "lang": "en", "country": "CL"}, {}),
}


def row(at: int) -> Json:
    """Return a tweet of the last fifteen days, an hour from no full day of them."""
    created = NOW - timedelta(hours=5 * at + 2 if (5 * at + 2) % 24 else 5 * at + 3)
    (country, code), tags = COUNTRIES[at % 3], TAGS[at // 2 % 3]
    author: Json = {"username": f"user_{at % 7}", "author": f"User {at % 7}", "followers": 10 * (at % 7)}
    place: Json = {"country": country, "country_code": code, "rash": tags[0], "tags": tags}
    text = f"{'incident' if at % 2 else 'quiet'} again, number {at}"
    return written(created, at, text, lang=LANGS[at // 3 % 3], **author, **place)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Service]:
    """The service with tweets of fifteen days, and X's own counts of some hours of one tag."""
    folder = tmp_path_factory.mktemp("filters")
    with holding(folder, pretend_x, *(row(at) for at in range(70))) as running:
        hour = int(NOW.timestamp()) // HOUR_S * HOUR_S
        hours = "WITH RECURSIVE hours(back) AS (SELECT 10 UNION ALL SELECT back + 1 FROM hours WHERE back < 59)"
        values = f"SELECT id, '/', ? - back * {HOUR_S}, back % 4, ? FROM tags, hours WHERE tag = '#sre'"
        databases.asked(databases.url_of(folder), f"{hours} INSERT INTO counts {values}", hour, f"{NOW:%Y-%m-%d %H:%M:%S.%f}")
        yield running


def asked(url: str) -> dict[str, list[str]]:
    """Return the parameters of a URL, empty ones too."""
    query = urlsplit(url).query
    return parse_qs(query, keep_blank_values=True, strict_parsing=bool(query))


def answers(service: Service, parameters: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what the API says to what the URL of a page asks for."""
    filters = {name: values for name, values in parameters.items() if name not in ("period", "tz")}
    period, zone = parameters.get("period", ["7d"])[0], parameters.get("tz", ["UTC"])[0]
    if period in LENGTHS and not {"since", "until"} & filters.keys():
        filters["since"] = [f"{NOW.replace(minute=0) - LENGTHS[period]:%Y-%m-%dT%H:%M:%SZ}"]

    def answer(path: str, **more: str) -> Any:
        return service.get(f"{path}?{urlencode({**filters, **more}, doseq=True)}").json()

    facets = {by: [one["tweets"] for one in answer("/facets", by=by)["facets"]] for by in ("lang", "country", "tag")}
    timeline = answer("/timeline", bucket="15m" if period == "24h" else "hour", tz=zone)["timeline"]
    authors = answer("/authors", limit="1000")["authors"]
    return {
        "tweets": len(answer("/tweets")["tweets"]),
        "authors": len(authors),
        "followers": [one["followers"] for one in authors],
        "languages": facets["lang"],
        "countries": facets["country"],
        "tags": facets["tag"][:1] if len(filters.get("tag", [])) == 1 else facets["tag"],
        "times": {one["start"]: one["tweets"] for one in timeline if one["tweets"]},
    }


def on_page(page: Element) -> dict[str, Any]:
    """Return the same, as the page says it."""
    counts = {name: [number(one) for one in column(page, name, "Tweets")] for name in ("languages", "countries", "tags")}
    over_time = zip(starts(page, "volume"), column(page, "volume", "Tweets"), strict=True)
    return {
        "tweets": number(total(page, "Tweets").split()[0]),
        "authors": number(total(page, "Unique authors")),
        "followers": [number(one) for one in column(page, "followers", "Followers")],
        **counts,
        "tags": [one for one in counts["tags"] if one],
        "times": {start: number(count) for start, count in over_time if count != "0"},
    }


@pytest.fixture(scope="module")
def overview(service: Service) -> Element:
    return opened(service, "/")


def shown(service: Service, page: Element, **values: str) -> tuple[str, Element]:
    """Fill in the form of a page; return the URL that it leads to, and the page there."""
    answer = sent(service, page.one(role="search"), **values)
    assert answer.status_code == 200
    return answer.url, read(answer.text)


@pytest.mark.parametrize(("typed", "changed"), FORM.values(), ids=FORM)
def test_what_is_filled_in_is_in_the_url_and_shown(
    service: Service, overview: Element, typed: dict[str, str], changed: dict[str, list[str]]
) -> None:
    url, page = shown(service, overview, **typed)
    assert asked(url) == {"period": ["7d"], **{name: [value] for name, value in typed.items()}, **changed}
    assert on_page(page) == answers(service, asked(url))


def test_a_second_tag_means_both_and_a_filter_is_dropped_by_its_link(service: Service) -> None:
    before = opened(service, "/?tag=sre&lang=en&period=all")
    alone = on_page(before)["tweets"]
    url, page = shown(service, before, tag="devops")
    assert asked(url) == {"tag": ["sre", "devops"], "lang": ["en"], "period": ["all"]}
    both = on_page(page)
    assert both == answers(service, asked(url))
    assert 0 < both["tweets"] < alone
    without = page.one("a", aria_label="Without tag devops")["href"]
    assert asked(without) == {"tag": ["sre"], "lang": ["en"], "period": ["all"]}
    assert on_page(opened(service, f"/{without}"))["tweets"] == alone
    assert said(opened(service, url.removeprefix("http://localhost"))) == said(page)


def test_the_period_is_seven_days_unless_said(service: Service, overview: Element) -> None:
    unsaid = said(overview)
    assert said(opened(service, "/?period=7d")) == unsaid
    everything = opened(service, "/?period=all")
    assert number(total(everything, "Tweets")) == len(service.get("/tweets").json()["tweets"]) == 70
    assert said(everything)["dl"] != unsaid["dl"]


def test_what_x_counted_is_what_the_api_says(service: Service) -> None:
    since, until = (f"{when.replace(minute=0):%Y-%m-%dT%H:%M:%SZ}" for when in (NOW - 2 * DAY, NOW - DAY / 2))
    volume = service.get("/volume", params={"since": since, "until": until, "bucket": "hour", "tag": "sre"}).json()["volume"]
    page = opened(service, f"/view/tags/sre?{urlencode({'since': since, 'until': until})}")
    counted = [number(one) for one in column(page, "counts", "X counted")]
    assert counted == [one["counted"] for one in volume]
    assert sum(filter(None, counted)) > 0
    assert [number(one) for one in column(page, "counts", "Stored")] == [one["stored"] for one in volume]


def test_dates_are_by_the_clock_of_the_zone_and_go_into_the_url_as_times(service: Service) -> None:
    local = {name: f"{when + timedelta(hours=9):%Y-%m-%dT%H:%M}" for name, when in (("since", SINCE), ("until", UNTIL))}
    url, page = shown(service, opened(service, "/?tz=Asia%2FTokyo"), period="", **local)
    times = {name: [f"{when:%Y-%m-%dT%H:%M:%SZ}"] for name, when in (("since", SINCE), ("until", UNTIL))}
    assert asked(url) == {**times, "tz": ["Asia/Tokyo"]}
    assert on_page(page) == answers(service, asked(url))
    assert {name: page.one("input", name=name)["value"] for name in local} == {one: f"{when}:00" for one, when in local.items()}


def reach(page: Page, wanted: Locator) -> None:
    """Press Tab, or Shift and Tab for what lies behind, until the element has the focus."""
    behind = wanted.evaluate("one => (document.activeElement.compareDocumentPosition(one) & 2) > 0")
    for _ in range(60):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Shift+Tab" if behind else "Tab")
    pytest.fail("the keyboard does not reach it")


def typed_into(page: Page, values: Mapping[str, str]) -> None:
    """Fill in the form and send it by keyboard; in a list a key chooses what begins so."""
    search = page.get_by_role("search")
    for name, value in values.items():
        own = search.locator(f'[name="{name}"]').last
        if not own.is_visible():
            reach(page, search.locator("summary"))
            page.keyboard.press("Enter")
        reach(page, own)
        for part in value.split("→"):
            page.keyboard.type(part)
            if "→" in value:
                page.keyboard.press("ArrowRight")
    reach(page, search.get_by_role("button"))
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.browser
def test_the_form_is_filled_in_by_keyboard(service: Service, chromium: Browser) -> None:
    moments = {name: when + timedelta(hours=9) for name, when in (("since", SINCE), ("until", UNTIL))}
    dates = {name: f"{local:%m%d%Y}→{local:%I%M%S%p}" for name, local in moments.items()}
    with tab(chromium) as page:
        page.goto(f"{service.url}/?tz=Asia%2FTokyo")
        typed_into(page, {"tag": "#devops", "q": "again", "lang": "en", "country": "CL", **dates, "period": "from"})
        times = {name: [f"{when:%Y-%m-%dT%H:%M:%SZ}"] for name, when in (("since", SINCE), ("until", UNTIL))}
        expected = {"tag": ["devops"], "q": ["again"], "lang": ["en"], "country": ["CL"], **times, "tz": ["Asia/Tokyo"]}
        assert asked(page.url) == expected
        assert on_page(document(page)) == answers(service, expected)
        assert untidy(page) == []
