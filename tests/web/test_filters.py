"""Filters that are filled in lead to a URL with the API's parameters, and the page shows what the API answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.fixtures import databases
from tests.fixtures.documents import Element, opened, read, sent
from tests.fixtures.service import Service
from tests.fixtures.views import HOUR_NOW, NOW, WEEK, column, deferred, number, said, starts, total
from text.phrases import UNKNOWN

DAY = timedelta(days=1)
SINCE, UNTIL = NOW - 3 * DAY, NOW - DAY
LENGTHS = {"24h": DAY, "7d": WEEK}
TYPED: tuple[dict[str, str], ...] = (
    *({}, {"tag": "sre"}, {"q": "even number"}, {"lang": "pt"}, {"country": "Peru"}, {"author": "@ada_3"}),
    *({"min_followers": " 4000 "}, {"tz": "Asia/Kathmandu"}, {"period": "24h"}),
    {"tag": "devops", "lang": "en", "country": "PE"},
)


@pytest.fixture(scope="module")
def service(planted_service: Service) -> Service:
    """The service with planted tweets, and X's own counts of some hours of a tag."""
    hour = int(HOUR_NOW.timestamp())
    hours = "WITH RECURSIVE hours(back) AS (SELECT 10 UNION ALL SELECT back + 1 FROM hours WHERE back < 59)"
    counts = "INSERT INTO counts SELECT id, '//no retweets', ? - back * 3600, back % 4, ? FROM tags, hours WHERE tag = '#sre'"
    databases.asked(databases.url_of(planted_service.log.parent), f"{hours} {counts}", hour, f"{NOW:%Y-%m-%d %H:%M:%S.%f}")
    return planted_service


def asked(url: str) -> dict[str, list[str]]:
    """Return the parameters of a URL, empty ones too."""
    query = urlsplit(url).query
    return parse_qs(query, keep_blank_values=True, strict_parsing=bool(query))


def answers(service: Service, parameters: Mapping[str, list[str]], page: Element) -> dict[str, Any]:
    """Return the API's answers to the parameters of a page."""
    filters = {name: values for name, values in parameters.items() if name not in ("period", "tz")}
    period, zone = parameters.get("period", ["7d"])[0], parameters.get("tz", ["UTC"])[0]
    if period in LENGTHS and not {"since", "until"} & filters.keys():
        filters["since"] = [f"{HOUR_NOW - LENGTHS[period]:%Y-%m-%dT%H:%M:%SZ}"]

    def answer(path: str, **more: str) -> Any:
        return service.get(f"{path}?{urlencode({**filters, **more}, doseq=True)}").json()

    facets = {by: [one["tweets"] for one in answer("/facets", by=by)["facets"]] for by in ("lang", "country", "tag")}
    timeline = answer("/timeline", bucket="15m", tz=zone)["timeline"]
    authors = answer("/authors", limit="1000")["authors"]
    return {
        "tweets": len(answer("/tweets")["tweets"]),
        "authors": len(authors),
        "followers": [one["followers"] for one in authors[:10]],
        "languages": facets["lang"],
        "countries": facets["country"],
        "tags": facets["tag"][:1] if len(filters.get("tag", [])) == 1 else facets["tag"],
        "times": +summed(starts(page, "volume"), timeline, "tweets"),
    }


def summed(begun: list[str], shown: list[dict[str, Any]], name: str) -> Counter[str]:
    """Add up what the API shows of short buckets, in the buckets that begin at these times."""
    found = Counter[str]()
    for one in shown:
        found[max(start for start in [begun[0], *begun] if start <= max(one["start"], begun[0]))] += one[name] or 0
    return found


def on_page(service: Service, page: Element) -> dict[str, Any]:
    """Return the same from the page."""
    counts = {name: [number(one) for one in column(page, name, "Tweets")] for name in ("languages", "countries", "tags")}
    over_time = zip(starts(page, "volume"), column(page, "volume", "Tweets"), strict=True)
    return {
        "tweets": number(total(page, "Tweets").removeprefix("at least ").split()[0]),
        "authors": number(total(page, "Unique authors").removeprefix("at least ")),
        "followers": [number(one) for one in column(deferred(service, page, "followers"), "followers", "Followers")],
        **counts,
        "tags": [one for one in counts["tags"] if one],
        "times": {start: number(count) for start, count in over_time if count not in ("0", UNKNOWN)},
    }


def shown(service: Service, page: Element, **values: str) -> tuple[str, Element]:
    """Submit the form of a page; return the resulting URL and page."""
    answer = sent(service, page.one(role="search"), **values)
    assert answer.status_code == 200
    return answer.url, read(answer.text)


@pytest.mark.parametrize("typed", TYPED, ids=" ".join)
def test_what_is_filled_in_is_in_the_url_and_shown(service: Service, typed: dict[str, str]) -> None:
    url, page = shown(service, opened(service, "/"), **typed)
    assert asked(url) == {"period": ["7d"], **{name: [value.strip()] for name, value in typed.items()}}
    assert on_page(service, page) == answers(service, asked(url), page)


def test_a_second_tag_means_both_and_a_filter_is_dropped_by_its_link(service: Service) -> None:
    before = opened(service, "/?tag=sre&lang=en&period=all")
    alone = on_page(service, before)["tweets"]
    url, page = shown(service, before, tag="devops")
    assert asked(url) == {"tag": ["sre", "devops"], "lang": ["en"], "period": ["all"]}
    both = on_page(service, page)
    assert both == answers(service, asked(url), page)
    assert 0 < both["tweets"] < alone
    without = page.one("a", aria_label="Without tag devops")["href"]
    assert asked(without) == {"tag": ["sre"], "lang": ["en"], "period": ["all"]}
    assert on_page(service, opened(service, f"/{without}"))["tweets"] == alone
    assert said(opened(service, url.removeprefix("http://localhost"))) == said(page)


def test_any_of_several_tags_stays_in_the_form_and_beside_a_tag(service: Service) -> None:
    of_each = [on_page(service, opened(service, f"/?any_tag={tag}&lang=en&period=all")) for tag in ("sre", "devops")]
    url, page = shown(service, opened(service, "/?any_tag=sre&any_tag=devops&any_tag=nobody&lang=en&period=all"))
    assert asked(url) == {"any_tag": ["sre", "devops", "nobody"], "lang": ["en"], "period": ["all"]}
    found = on_page(service, page)
    assert found == answers(service, asked(url), page)
    assert found["tweets"] == max(one["tweets"] for one in of_each) > min(one["tweets"] for one in of_each)
    url, page = shown(service, page, tag="devops")
    assert on_page(service, page) == answers(service, asked(url), page)
    assert on_page(service, page)["tweets"] == of_each[1]["tweets"]
    assert "#nobody was never collected." in opened(service, "/?any_tag=sre&any_tag=nobody").one("main").words
    wrong = opened(service, "/view/tags/sre?any_tag=a+b", status=400).one(role="search")
    assert [one["name"] for one in wrong.all("select", aria_invalid=True)] == ["any_tag"]


def test_the_period_is_seven_days_by_default(service: Service) -> None:
    unsaid, week, everything = (opened(service, path) for path in ("/", "/?period=7d", "/?period=all"))
    assert said(week) == said(unsaid)
    assert number(total(everything, "Tweets")) == len(service.get("/tweets").json()["tweets"]) > 250
    assert said(everything)["dl"] != said(unsaid)["dl"]


def test_the_counts_of_x_are_those_of_the_api(service: Service) -> None:
    since, until = (f"{when.replace(minute=0):%Y-%m-%dT%H:%M:%SZ}" for when in (NOW - 2 * DAY, NOW - DAY / 2))
    volume = service.get("/volume", params={"since": since, "until": until, "bucket": "hour", "tag": "sre"}).json()["volume"]
    page = opened(service, f"/view/tags/sre?{urlencode({'since': since, 'until': until})}")
    begun = starts(page, "counts")
    for title, name in (("X counted", "counted"), ("Stored", "stored")):
        found = {start: number(count) for start, count in zip(begun, column(page, "counts", title), strict=True)}
        assert +Counter(found) == +summed(begun, volume, name)
        assert sum(filter(None, found.values())) > 0


def test_days_are_those_of_the_zone_with_the_last_one_and_go_into_the_url_as_times(service: Service) -> None:
    local = {"since": "2026-11-21", "until": "2026-11-22"}
    url, page = shown(service, opened(service, "/?tz=Asia%2FTokyo"), **local)
    times = {"since": ["2026-11-20T15:00:00Z"], "until": ["2026-11-22T15:00:00Z"]}
    assert asked(url) == {**times, "tz": ["Asia/Tokyo"]}
    assert on_page(service, page) == answers(service, asked(url), page)
    assert {name: page.one("input", name=name, type="date")["value"] for name in local} == local


def test_hours_are_chosen_from_the_period_that_is_shown(service: Service) -> None:
    [link] = [one["href"] for one in opened(service, "/?tz=Asia%2FTokyo").all("a") if one.words == "Choose hours"]
    local = {name: f"{when + timedelta(hours=9):%Y-%m-%dT%H:%M}" for name, when in (("since", SINCE), ("until", UNTIL))}
    url, page = shown(service, opened(service, link), **local)
    times = {name: [f"{when:%Y-%m-%dT%H:%M:%SZ}"] for name, when in (("since", SINCE), ("until", UNTIL))}
    assert asked(url) == {**times, "tz": ["Asia/Tokyo"]}
    assert on_page(service, page) == answers(service, asked(url), page)
    assert {name: page.one("input", name=name)["value"] for name in local} == {one: f"{when}:00" for one, when in local.items()}


@pytest.mark.parametrize(
    ("period", "since", "until"),
    [
        ("today", "2026-11-23T15:00:00Z", None),
        ("yesterday", "2026-11-22T15:00:00Z", "2026-11-23T15:00:00Z"),
        ("month", "2026-10-31T15:00:00Z", None),
    ],
)
def test_periods_of_the_calendar_are_those_of_the_zone(service: Service, period: str, since: str, until: str | None) -> None:
    page = opened(service, f"/?period={period}&tz=Asia%2FTokyo")
    bounds = {"since": since} | ({"until": until} if until else {})
    assert (
        number(total(page, "Tweets").removeprefix("at least ").split()[0])
        == len(service.get("/tweets", params=bounds).json()["tweets"])
        > 0
    )
    [chosen] = page.one("ul", aria_label="Period").all("a", aria_current=True)
    assert chosen["href"] == f"/?tz=Asia%2FTokyo&period={period}"


def test_a_wrong_filter_is_marked_in_the_form_which_keeps_the_others(service: Service) -> None:
    for path in ("/", "/view/tweets", "/view/tags/sre", "/view/authors/ada_3"):
        form = opened(service, f"{path}?lang=english&min_followers=12&q=odd", status=400).one(role="search")
        wrong = [one["name"] for one in form.all("input", "select", aria_invalid=True)]
        assert (form["action"], wrong) == (path, ["lang"])
        assert form.one(id=form.one("input", name="lang")["aria-describedby"]).words.startswith("Expected a language code")
        assert {name: form.one("input", name=name)["value"] for name in ("lang", "min_followers", "q")} == {
            "lang": "english",
            "min_followers": "12",
            "q": "odd",
        }
        assert sent(service, form, lang="en").status_code == 200
