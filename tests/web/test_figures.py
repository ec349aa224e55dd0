"""The figures: their numbers are those of their files, and what was planted is found in them, told and drawn."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.archives import Json, own_row, tweet_id
from tests.fixtures.browser import needs_chromium, tab, untidy
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.views import column, csv_path, figure, figures, imported, number, rows, starts, total
from web import words

pytestmark = needs_chromium

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)
BURST, BURST_SIZE = NOW - 50 * HOUR, 40
GAP = (NOW - 30 * HOUR, NOW - 26 * HOUR)
PATHS = ("/", "/view/tags/sre", "/view/authors/ada_3", "/?lang=pt&period=30d&tz=Asia%2FTokyo")


def row(at: int, created: datetime) -> Json:
    """Return a tweet of a time; every fifth is of #devops as well."""
    tags = ["#devops", "#sre"] if at % 5 == 0 else ["#sre"]
    who: Json = {"username": f"ada_{at % 13}", "author": f"Ada {at % 13}", "followers": 1_234 * (at % 13)}
    more: Json = {"lang": ("en", "en", "pt")[at % 3], "country": "Peru" if at % 4 == 0 else None, "tags": tags, "rash": tags[0]}
    more["country_code"] = "PE" if more["country"] else None
    when: Json = {"id": str(tweet_id(created, at)), "created": created.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return own_row(text=f"number {at} #sre #rarely{at % 6}", **when, **who, **more)


def planted() -> list[Json]:
    """Return a tweet an hour of this week and every other hour of the week before, and a burst."""
    usual = [NOW - at * HOUR + HOUR / 6 for at in range(3, 150)]
    before = [NOW - WEEK - at * HOUR + HOUR / 6 for at in range(4, 170, 2)]
    burst = [BURST + timedelta(seconds=at) for at in range(BURST_SIZE)]
    return [row(at, when) for at, when in enumerate([*usual, *before, *burst])]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("figures")
    settings = environment(folder, pretend_x)
    imported(settings, folder, *planted())
    gap = [tweet_id(when) for when in GAP]
    listing = "INSERT INTO listings (tag_id, run_id, gap, expired, since_id, until_id, before, query, pages)"
    values = "SELECT id, 1, 1, 0, ?, ?, ?, '', 0 FROM tags WHERE tag = '#devops'"
    databases.asked(settings["DATABASE_URL"], f"{listing} {values}", gap[0], gap[1], gap[1])
    with serving(folder, **settings) as server:
        yield server


def filed(service: Server, page: Page, name: str) -> list[dict[str, str]]:
    """Return the rows of a figure's CSV."""
    answer = service.get(csv_path(page, name))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def written(value: str) -> set[str]:
    """Return how a page may write a value of a file."""
    ways = {value or words.UNKNOWN, value, value.lstrip("'")}
    with suppress(ValueError):
        ways |= {words.number(float(value)), words.share(float(value)), words.times(float(value))}
    return ways


def differing(service: Server, page: Page, name: str) -> list[str]:
    """Return where a figure's table is not its file; times are compared by `starts`, and what stands beside a name is not."""
    filed_rows = filed(service, page, name)
    header, *table = rows(page, name)
    known = [(at, key) for at, title in enumerate(header) for key in filed_rows[0] if title in (key, key.partition(" (")[0])]
    known = [(at, key) for at, key in known if key != "From"]
    assert len(known) >= 2, header
    compared = [(row[at], one[key]) for row, one in zip(table, filed_rows, strict=False) for at, key in known]
    return [f"{shown} is not {value}" for shown, value in compared if not {shown, shown.partition(" ")[0]} & written(value)]


@pytest.mark.parametrize("path", PATHS)
def test_the_file_of_each_figure_has_the_numbers_of_its_table(service: Server, chromium: Browser, path: str) -> None:
    with tab(chromium) as page:
        page.goto(service.url + path)
        names = [name for name in figures(page) if rows(page, name)]
        assert {"volume", "languages", "hashtags"} <= set(names)
        for name in names:
            assert differing(service, page, name) == [], name
        assert [one["From"] for one in filed(service, page, "volume")] == starts(page, "volume")


def test_a_table_that_is_not_its_file_is_noticed(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(service.url)
        page.evaluate("document.querySelector('#languages td.number').textContent = '9'")
        assert len(differing(service, page, "languages")) == 1


def test_captions_say_what_leads(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(service.url)
        said = {name: figure(page, name).locator("figcaption").inner_text() for name in figures(page)}
        assert total(page, "Tweets") in said["volume"]
        for name, title in {"tags": "Tweets", "followers": "Followers", "active": "Tweets"}.items():
            leader, value = filed(service, page, name)[0], column(page, name, title)[0]
            assert next(iter(leader.values())).lstrip("'") in said[name]
            assert value in said[name]
        for name in ("languages", "countries", "hashtags"):
            assert any(word in said[name] for word in rows(page, name)[1][0].split())
            assert column(page, name, "Share")[0] in said[name]


def test_a_planted_burst_and_a_planted_gap_are_marked(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(service.url)
        notes = dict(zip(starts(page, "volume"), column(page, "volume", "Note"), strict=True))
        assert [start for start, note in notes.items() if "spike" in note] == [f"{BURST:%Y-%m-%dT%H:%M:%SZ}"]
        gaps = [f"{GAP[0] + at * HOUR:%Y-%m-%dT%H:%M:%SZ}" for at in range(4)]
        assert [start for start, note in notes.items() if "gap in #devops" in note] == gaps
        said = figure(page, "volume").locator("figcaption").inner_text()
        assert f"{BURST_SIZE + 1}" in said
        expect(figure(page, "volume").locator("canvas")).to_be_visible()
        assert figure(page, "volume").locator("polyline").first.is_hidden()
        assert untidy(page) == []


def test_without_scripts_the_same_is_drawn_as_a_picture(service: Server, chromium: Browser) -> None:
    with tab(chromium, java_script_enabled=False) as page:
        page.goto(service.url)
        own = figure(page, "volume")
        assert own.locator("canvas").count() == 0
        curves = own.locator("polyline")
        expect(curves).to_have_count(2)
        expect(curves.first).to_be_visible()
        points = curves.last.get_attribute("points") or ""
        heights = [float(point.split(",")[1]) for point in points.split()]
        counts = [number(one) for one in column(page, "volume", "Tweets")]
        assert len(heights) == len(counts) - own.locator("tr.open").count()
        assert heights.index(min(heights)) == counts.index(BURST_SIZE + 1)


def test_where_there_is_no_gap_none_is_told(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tags/sre")
        assert not any("gap" in note for note in column(page, "volume", "Note"))
        page.goto(f"{service.url}/view/tags/devops")
        assert sum("gap" in note for note in column(page, "volume", "Note")) == 4


def test_the_week_before_stands_beside_each_hour(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(service.url)
        begun = [datetime.fromisoformat(start) for start in starts(page, "volume")]
        window = {"since": f"{begun[0] - WEEK:%Y-%m-%dT%H:%M:%SZ}", "until": f"{begun[0]:%Y-%m-%dT%H:%M:%SZ}", "bucket": "hour"}
        known = {
            datetime.fromisoformat(one["start"]): one["tweets"]
            for one in service.get("/timeline", params=window).json()["timeline"]
        }
        before = [number(one) for one in column(page, "volume", "7 days before")]
        assert before == [known.get(start - WEEK, before[-1] if start == begun[-1] else 0) for start in begun]
        earlier, tweets = sum(filter(None, before)), number(total(page, "Tweets")) or 0
        assert sum(known.values()) >= earlier >= 80
        assert f"+{words.share((tweets - earlier) / earlier)}" in page.get_by_role("definition").first.inner_text()


@pytest.mark.parametrize(("path", "query"), [("/view/tags/devops", "tag=devops"), ("/view/authors/ada_3", "author=ada_3")])
def test_a_page_of_one_shows_nothing_of_others(service: Server, chromium: Browser, path: str, query: str) -> None:
    with tab(chromium) as page:
        page.goto(f"{service.url}{path}?period=all")
        tweets = service.get(f"/tweets?{query}&sort=-created").json()["tweets"]
        assert number(total(page, "Tweets")) == len(tweets) == sum(number(one) or 0 for one in column(page, "volume", "Tweets"))
        hrefs = (
            page.get_by_role("article").locator('a[href^="/tweets/"]').evaluate_all("links => links.map(one => one.pathname)")
        )
        assert hrefs == [f"/tweets/{one['id']}" for one in tweets[: len(hrefs)]]
        assert hrefs
