"""The page that compares tags: what it compares them by, what it says of that, and how one gets there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select, update
from werkzeug.datastructures import MultiDict

from collector.runs.collector import Collector
from models import HourlyCount, Tag
from tests.fixtures import databases
from tests.fixtures.archives import MORNING, own_row, tweet_id
from tests.fixtures.browser import tab
from tests.fixtures.documents import BROWSER, opened
from tests.fixtures.environment import TAGS
from tests.fixtures.service import Service, in_process
from tests.fixtures.views import column, figure, figures, imported, rows
from web.charts import ChartFigure
from web.figures import FIGURES
from web.figures.volume import FigureInput
from web.view_query import parse_view_query

PATH = "/view/compare?tag=devops&tag=sre"
HOUR = timedelta(hours=1)
NOW = MORNING.replace(minute=0) + 48 * HOUR
NAMES = ["compare", "sides", "voice", "tongues", "shared"]


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """A database with a tweet of #sre each hour of two days, every fourth of which has #devops too; all were collected."""
    settings = {"TWITTER_API_URL": "http://127.0.0.1:9", "COLLECT_ON_START": "0", "TAGS": TAGS, "LOG_LEVEL": "ERROR"}
    tags = (["#sre", "#devops"], ["#sre"], ["#sre"], ["#sre"])
    ids = {"from_id": tweet_id(MORNING - HOUR), "since_id": tweet_id(NOW) - 1}
    with in_process(tmp_path, DATABASE_URL=databases.url_of(tmp_path), **settings) as running:
        written = (
            own_row(60 * at, tags=tags[at % 4], username=f"user_{at % 3}", lang=("en", "pt")[at % 2]) for at in range(47)
        )
        imported(running, *written)
        running.collector.database.write(lambda session: session.execute(update(Tag).values(**ids)))
        yield running.collector


def shown(collector: Collector, name: str, query: str = "period=24h&any_tag=sre&any_tag=devops") -> ChartFigure | None:
    with collector.database.reading() as session:
        return FIGURES[name](FigureInput(session, parse_view_query(MultiDict(parse_qsl(query)), now=NOW)))


def count_on_x(collector: Collector, **a_tag: int) -> None:
    """Let X have counted so many posts of each tag in each of the last 24 hours."""
    with collector.database.writing() as session:
        for tag, counted in a_tag.items():
            row = session.scalars(select(Tag).where(Tag.key == f"#{tag}")).one()
            for back in range(1, 25):
                start = int((NOW - back * HOUR).timestamp())
                session.add(HourlyCount(tag_id=row.id, rules=row.rules, start=start, counted=counted, asked_at=NOW))


def cells(found: ChartFigure | None, title: str) -> list[object]:
    assert found is not None
    at = [column.title for column in found.table.columns].index(title)
    return [row[at] for row in found.table.rows]


def test_stored_tweets_are_compared_where_x_was_not_asked(collector: Collector) -> None:
    lines = shown(collector, "compare")
    assert lines is not None
    assert "Compared are the stored tweets: X's own counts don't exist for all of these tags." in lines.note
    assert lines.finding == "#sre leads with 23 stored tweets in 24 hours, 79 % of the voice; #devops 6."
    assert [line.title for line in lines.lines] == ["#sre", "#devops"]
    assert [sum(map(int, map(str, cells(lines, tag)))) for tag in ("#sre", "#devops")] == [23, 6]
    assert cells(shown(collector, "sides"), "Share of voice") == [23 / 29, 6 / 29]


def test_the_title_says_how_long_the_buckets_of_few_tweets_are(collector: Collector) -> None:
    lines = shown(collector, "compare", "period=7d&any_tag=sre&any_tag=devops")
    assert lines is not None
    assert lines.curve is not None
    assert lines.title == "Stored tweets per 12 hours"
    assert {end - start for start, end in lines.curve.periods} == {12 * HOUR.seconds}


def test_the_totals_have_the_time_before_beside_them(collector: Collector) -> None:
    """The share of voice is of halves of one time; whether a tag gains against the time before is another question."""
    sides = shown(collector, "sides")
    assert (cells(sides, "Stored before"), cells(sides, "Change")) == ([24, 6], ["−4.2 %", "as before"])
    assert sides is not None
    assert "Before is what was stored of the 24 hours before." in sides.note
    count_on_x(collector, sre=1, devops=30)
    for without in ("period=all&any_tag=sre&any_tag=devops", "period=24h&any_tag=sre&any_tag=devops&lang=en"):
        other = shown(collector, "sides", without)
        assert other is not None
        assert "Change" not in [column.title for column in other.table.columns]


def test_x_counts_are_compared_where_they_exist_for_all_of_the_tags(collector: Collector) -> None:
    count_on_x(collector, sre=10, devops=30)
    lines, sides = shown(collector, "compare"), shown(collector, "sides")
    assert lines is not None
    assert lines.finding == "#devops leads with 720 posts on X in 24 hours, 75 % of the voice; #sre 240."
    assert lines.note == "Compared are X's own counts, for they exist for all of these tags."
    assert {*cells(lines, "#devops")} == {30}
    assert cells(sides, "Share of voice") == [0.25, 0.75]
    assert cells(sides, "Stored of all on X") == [23 / 240, 6 / 720]
    assert {*cells(shown(collector, "voice"), "#sre")} == {0.25}


def test_samples_of_different_sizes_are_not_compared_by_their_counts(collector: Collector) -> None:
    """X counts whole tags, so its counts don't compare tweets in a language."""
    count_on_x(collector, sre=1, devops=30)
    query = "period=24h&any_tag=sre&any_tag=devops&lang=en"
    lines = shown(collector, "compare", query)
    assert lines is not None
    assert "Too different a share of each tag is stored" in lines.note
    assert "#sre 96 % and #devops 0.8 %" in lines.note
    assert lines.finding.startswith("#sre was highest on ")
    assert shown(collector, "voice", query) is None
    assert cells(shown(collector, "sides", query), "Share of voice") == [None, None]


def test_a_sample_is_not_compared_with_a_tag_of_which_x_was_not_asked(collector: Collector) -> None:
    count_on_x(collector, sre=10)
    lines = shown(collector, "compare")
    assert lines is not None
    assert "#sre 9.6 % and #devops unknown" in lines.note
    assert shown(collector, "voice") is None


def test_a_part_that_one_of_the_tags_was_not_collected_for_is_left_out_of_what_compares(collector: Collector) -> None:
    late = {"from_id": tweet_id(NOW - 12 * HOUR)}
    collector.database.write(lambda session: session.execute(update(Tag).where(Tag.key == "#devops").values(**late)))
    lines, voice = shown(collector, "compare"), shown(collector, "voice")
    assert lines is not None
    assert cells(lines, "#devops")[:3] == [None, None, None]
    assert "#sre leads with 11 stored tweets" in lines.finding
    assert cells(voice, "Sum")[:5] == [None] * 5


def test_overlap_and_languages_are_those_of_the_stored_tweets(collector: Collector) -> None:
    shared, tongues = shown(collector, "shared"), shown(collector, "tongues")
    assert shared is not None
    assert shared.table.rows == (("#sre and #devops", 6, 6 / 23, 1.0, 3, 1.0, 1.0),)
    assert shared.finding == "#sre and #devops share the most: 3 authors wrote with both, 6 tweets have both."
    assert [link.text for link in cells(tongues, "Language")] == ["en", "pt"]  # type: ignore[attr-defined]
    assert cells(tongues, "#devops") == [1, 0]


def test_of_very_many_tweets_the_newest_are_examined_and_it_is_said(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.figures.comparison.MOST_EXAMINED", 2)
    shared, sides = shown(collector, "shared"), shown(collector, "sides")
    assert shared is not None
    assert sides is not None
    assert shared.note.endswith("of the stored tweets.")
    assert (cells(sides, "Stored"), cells(sides, "Authors, stored")) == ([23, 6], [3, 1])


def test_only_two_to_five_known_tags_are_compared(collector: Collector) -> None:
    for query in ("", "any_tag=sre", "any_tag=sre&any_tag=nobody", "tag=sre&tag=devops"):
        assert all(shown(collector, name, query) is None for name in NAMES), query


def test_the_page_has_every_figure_and_its_files(planted_service: Service) -> None:
    page = opened(planted_service, PATH)
    assert figures(page) == NAMES
    assert column(page, "sides", "Tag") == ["#devops", "#sre"]
    assert rows(page, "compare")[0] == ["From", "#devops", "#sre", "Note"]
    for name in NAMES:
        [path] = [one["href"] for one in figure(page, name).all("a", href=True) if one["href"].startswith("/view/figures/")]
        assert "any_tag=devops&any_tag=sre" in path
        assert planted_service.get(path).ok, name
    chosen = [one["value"] for one in page.one("main").all("option", selected=True)]
    assert chosen == ["devops", "sre"]
    assert page.one("main").one("a", href=f"{PATH}&period=30d")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/view/compare", 200, "Choose two to five tags"),
        ("/view/compare?tag=sre", 200, "Choose two to five tags"),
        ("/view/compare?tag=sre&tag=SRE", 200, "Choose two to five tags"),
        ("/view/compare?tag=sre&tag=nobody", 200, "#nobody was never tracked here."),
        ("/view/compare?" + "&".join(f"tag=t{number}" for number in range(6)), 400, "6 tags are too many."),
    ],
)
def test_other_numbers_of_tags_lead_to_the_choice(planted_service: Service, path: str, status: int, said: str) -> None:
    page = opened(planted_service, path, status=status)
    assert said in page.one("main").words
    assert page.one("main").one("form", action="/view/compare")
    assert page.all("figure") == []


def test_the_page_is_reached_from_others_with_what_is_chosen_there(planted_service: Service) -> None:
    for path, href in {
        "/?period=30d&tz=Asia%2FTokyo": "/view/compare?period=30d&tz=Asia%2FTokyo",
        "/view/tags": "/view/compare",
        "/view/tags/sre?period=24h": "/view/compare?period=24h&tag=sre",
    }.items():
        assert opened(planted_service, path).one("main").all("a", href=href), path
    answer = planted_service.get("/view/compare?tag=sre&tag=&tag=devops&tag=", headers=BROWSER, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/view/compare?tag=sre&tag=devops")


@pytest.mark.browser
def test_lines_are_told_apart_by_more_than_their_colour_with_and_without_scripts(
    planted_service: Service, chromium: Browser
) -> None:
    for javascript in (True, False):
        with tab(chromium, java_script_enabled=javascript) as page:
            page.goto(planted_service.url + PATH)
            drawn = page.locator("#compare canvas" if javascript else "#compare polyline").first
            expect(drawn).to_be_visible()
            lines = page.locator("#compare .legend .curve")
            dashes = lines.evaluate_all("all => all.map(one => getComputedStyle(one).strokeDasharray)")
            assert len({*dashes}) == 2
            expect(page.locator("#voice .stacked path").first).to_be_visible()


@pytest.mark.browser
def test_the_arrow_keys_tell_the_number_of_each_tag(planted_service: Service, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(planted_service.url + PATH)
        chart = page.locator("#compare .chart")
        expect(chart.locator(".uplot")).to_be_visible()
        chart.focus()
        page.keyboard.press("Home")
        expect(chart.get_by_role("status")).to_contain_text(
            re.compile(r": #devops (\d+|unknown), #sre (\d+|unknown)\. Enter opens it\.")
        )
