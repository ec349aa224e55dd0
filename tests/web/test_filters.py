"""The filters: filled in by keyboard they lead to a URL in the API's words, and what is shown there is what the API answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page

from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.archives import Json, own_row, tweet_id
from tests.fixtures.browser import needs_chromium, tab, untidy
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.views import column, imported, number, shown, starts, total

pytestmark = needs_chromium

NOW = datetime.now(UTC).replace(minute=10, second=0, microsecond=0)
DAY, HOUR_S = timedelta(days=1), 3600
TAGS, LANGS = (["#sre"], ["#devops"], ["#devops", "#sre"]), ("en", "pt", None)
COUNTRIES = (("Peru", "PE"), ("Chile", "CL"), (None, None))
SINCE, UNTIL = NOW - 3 * DAY, NOW - DAY
LENGTHS = {"24h": DAY, "7d": 7 * DAY}
BROWSER = {"Accept": "text/html"}
FORM: dict[str, tuple[dict[str, str], dict[str, list[str]]]] = {
    "nothing": ({}, {}),
    "a tag": ({"tag": "#sre"}, {"tag": ["sre"]}),
    "words": ({"q": "incident again"}, {"q": ["incident again"]}),
    "a language": ({"lang": "pt"}, {"lang": ["pt"]}),
    "a country": ({"country": "Peru"}, {"country": ["Peru"]}),
    "an author": ({"author": "@user_3"}, {"author": ["@user_3"]}),
    "followers": ({"min_followers": "40"}, {"min_followers": ["40"]}),
    "a zone": ({"tz": "Asia/Kathmandu"}, {"tz": ["Asia/Kathmandu"]}),
    "a day": ({"period": "24 hours"}, {"period": ["24h"]}),
    "all there is": ({"period": "all there is"}, {"period": ["all"]}),
    "several": ({"tag": "#devops", "lang": "en", "country": "CL"}, {"tag": ["devops"], "lang": ["en"], "country": ["CL"]}),
}


def row(at: int) -> Json:
    """Return a tweet of the last fifteen days, an hour from no full day of them."""
    created = NOW - timedelta(hours=5 * at + 2 if (5 * at + 2) % 24 else 5 * at + 3)
    (country, code), tags = COUNTRIES[at % 3], TAGS[at // 2 % 3]
    more: Json = {
        "id": str(tweet_id(created, at)),
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lang": LANGS[at // 3 % 3],
    }
    author: Json = {"username": f"user_{at % 7}", "author": f"User {at % 7}", "followers": 10 * (at % 7)}
    place: Json = {"country": country, "country_code": code, "rash": tags[0], "tags": tags}
    return own_row(text=f"{'incident' if at % 2 else 'quiet'} again, number {at}", **more, **author, **place)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Server]:
    """The service with tweets of fifteen days, and X's own counts of some hours of one tag."""
    folder = tmp_path_factory.mktemp("filters")
    settings = environment(folder, pretend_x)
    imported(settings, folder, *(row(at) for at in range(70)))
    hour = int(NOW.timestamp()) // HOUR_S * HOUR_S
    for back in range(10, 60):
        values = (hour - back * HOUR_S, back % 4, NOW.strftime("%Y-%m-%d %H:%M:%S.%f"))
        counted = "INSERT INTO counts SELECT id, '/', ?, ?, ? FROM tags WHERE tag = '#sre'"
        databases.asked(settings["DATABASE_URL"], counted, *values)
    with serving(folder, **settings) as server:
        yield server


def reach(page: Page, wanted: Locator) -> None:
    """Press Tab, or Shift and Tab for what lies behind, until the element has the focus."""
    behind = wanted.evaluate("one => (document.activeElement.compareDocumentPosition(one) & 2) > 0")
    for _ in range(60):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Shift+Tab" if behind else "Tab")
    pytest.fail("the keyboard does not reach it")


def field(page: Page, name: str) -> Locator:
    """Return the last field that fills in a parameter."""
    return page.get_by_role("search").locator(f'[name="{name}"]').last


def fill(page: Page, name: str, value: str) -> None:
    """Reach a field by keyboard, and type into it; in a list this chooses what begins so."""
    if not field(page, name).is_visible():
        reach(page, page.get_by_role("search").locator("summary"))
        page.keyboard.press("Enter")
    reach(page, field(page, name))
    page.keyboard.type(value)


def show(page: Page) -> None:
    """Press the button by keyboard."""
    reach(page, page.get_by_role("search").get_by_role("button"))
    with page.expect_navigation():
        page.keyboard.press("Enter")


def asked(page: Page) -> dict[str, list[str]]:
    """Return the parameters of the page's URL, empty ones too."""
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True, strict_parsing=bool(urlsplit(page.url).query))


def answers(service: Server, parameters: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what the API says to what the URL of a page asks for."""
    filters = {name: values for name, values in parameters.items() if name not in ("period", "tz")}
    period, zone = parameters.get("period", ["7d"])[0], parameters.get("tz", ["UTC"])[0]
    if period in LENGTHS and not {"since", "until"} & filters.keys():
        filters["since"] = [f"{NOW.replace(minute=0) - LENGTHS[period]:%Y-%m-%dT%H:%M:%SZ}"]

    def answer(path: str, **more: str) -> Any:
        return service.get(f"{path}?{urlencode({**filters, **more}, doseq=True)}").json()

    facets = {by: [one["tweets"] for one in answer("/facets", by=by)["facets"]] for by in ("lang", "country", "tag")}
    bucket = "15m" if period == "24h" else "hour"
    authors = answer("/authors", limit="1000")["authors"]
    return {
        "tweets": len(answer("/tweets")["tweets"]),
        "authors": len(authors),
        "followers": [one["followers"] for one in authors],
        "languages": facets["lang"],
        "countries": facets["country"],
        "tags": facets["tag"][:1] if len(filters.get("tag", [])) == 1 else facets["tag"],
        "times": {
            one["start"]: one["tweets"] for one in answer("/timeline", bucket=bucket, tz=zone)["timeline"] if one["tweets"]
        },
    }


def on_page(page: Page) -> dict[str, Any]:
    """Return the same, as the page says it."""
    counts = {name: [number(one) for one in column(page, name, "Tweets")] for name in ("languages", "countries", "tags")}
    over_time = zip(starts(page, "volume"), column(page, "volume", "Tweets"), strict=True)
    return {
        "tweets": number(total(page, "Tweets")),
        "authors": number(total(page, "Unique authors")),
        "followers": [number(one) for one in column(page, "followers", "Followers")],
        **counts,
        "tags": [one for one in counts["tags"] if one],
        "times": {start: number(count) for start, count in over_time if count != "0"},
    }


@pytest.mark.parametrize(("typed", "expected"), FORM.values(), ids=FORM)
def test_what_is_filled_in_by_keyboard_is_shown_and_can_be_shared(
    service: Server, chromium: Browser, typed: dict[str, str], expected: dict[str, list[str]]
) -> None:
    with tab(chromium) as page:
        page.goto(service.url)
        for name, value in typed.items():
            fill(page, name, value)
        show(page)
        assert asked(page) == {"period": ["7d"]} | expected
        assert on_page(page) == answers(service, asked(page))
        assert untidy(page) == []
        said, url = shown(page), page.url
    with tab(chromium) as other:
        other.goto(url)
        assert shown(other) == said


def test_a_second_tag_means_both_and_a_filter_is_dropped_by_its_link(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(f"{service.url}/?tag=sre&lang=en&period=all")
        alone = on_page(page)["tweets"]
        fill(page, "tag", "#devops")
        show(page)
        assert asked(page) == {"tag": ["sre", "devops"], "lang": ["en"], "period": ["all"]}
        both = on_page(page)
        assert both == answers(service, asked(page))
        assert 0 < both["tweets"] < alone
        with page.expect_navigation():
            page.get_by_role("link", name="Without tag devops").click()
        assert asked(page) == {"tag": ["sre"], "lang": ["en"], "period": ["all"]}
        assert on_page(page)["tweets"] == alone


def test_dates_are_by_the_clock_of_the_zone_and_go_into_the_url_as_times(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(f"{service.url}/?tz=Asia%2FTokyo")
        for name, when in (("since", SINCE), ("until", UNTIL)):
            local = when + timedelta(hours=9)
            fill(page, name, f"{local:%m%d%Y}")
            page.keyboard.press("ArrowRight")
            page.keyboard.type(f"{local:%I%M%S%p}")
            assert field(page, name).input_value().startswith(f"{local:%Y-%m-%dT%H:%M}")
        fill(page, "period", "from")
        show(page)
        assert asked(page) == {
            "since": [f"{SINCE:%Y-%m-%dT%H:%M:%SZ}"],
            "until": [f"{UNTIL:%Y-%m-%dT%H:%M:%SZ}"],
            "tz": ["Asia/Tokyo"],
        }
        assert on_page(page) == answers(service, asked(page))
        again = field(page, "since").input_value()
        assert datetime.fromisoformat(again) == (SINCE + timedelta(hours=9)).replace(tzinfo=None)


def test_the_period_is_seven_days_unless_said(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(service.url)
        assert field(page, "period").input_value() == "7d"
        unsaid = shown(page)
        page.goto(f"{service.url}/?period=7d")
        assert shown(page) == unsaid
        page.goto(f"{service.url}/?period=all")
        assert number(total(page, "Tweets")) == len(service.get("/tweets").json()["tweets"]) == 70
        assert shown(page)["dl"] != unsaid["dl"]


def test_what_x_counted_is_what_the_api_says(service: Server, chromium: Browser) -> None:
    since, until = (f"{when.replace(minute=0):%Y-%m-%dT%H:%M:%SZ}" for when in (NOW - 2 * DAY, NOW - DAY / 2))
    volume = service.get("/volume", params={"since": since, "until": until, "bucket": "hour", "tag": "sre"}).json()["volume"]
    known = [one for one in volume if one["counted"] is not None]
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tags/sre?{urlencode({'since': since, 'until': until})}")
        counted = [number(one) for one in column(page, "counts", "X counted")]
        assert counted == [one["counted"] for one in volume]
        assert sum(filter(None, counted)) == sum(one["counted"] for one in known) > 0
        assert [number(one) for one in column(page, "counts", "Stored")] == [one["stored"] for one in volume]


@pytest.mark.parametrize("path", ["/", "/view/tweets", "/view/tags/sre", "/view/authors/user_3"])
@pytest.mark.parametrize(
    "fault",
    [
        "tag=%23",
        "lang=english",
        "country=",
        "author=a+b",
        "min_followers=-1",
        "since=soon",
        "until=1",
        "period=7w",
        "tz=Mars",
        "x=1",
    ],
)
def test_a_bad_value_is_a_page_that_names_the_field(service: Server, path: str, fault: str) -> None:
    answer = service.get(f"{path}?{fault}", headers=BROWSER)
    name = fault.partition("=")[0]
    if fault.endswith("="):
        assert (answer.status_code, answer.url) == (200, service.url + path)
    elif not (path.endswith("sre") and name == "tag") and not (path.endswith("user_3") and name == "author"):
        assert answer.status_code == 400
        assert f"<code>{name}</code>" in answer.text


def test_a_bad_value_that_was_typed_is_named(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(service.url)
        fill(page, "min_followers", "many")
        show(page)
        assert page.get_by_role("main").get_by_text("min_followers").is_visible()
