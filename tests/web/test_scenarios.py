"""What people go through who are new, or who come back after something went wrong: the pages never mislead them."""

from __future__ import annotations

import csv
import io
import re
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Semaphore

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import update

from collector import sources
from collector.jobs.scheduled import Plan, ScheduledJobs
from emulator import Emulator
from models import Run
from tests.fixtures.archives import Json
from tests.fixtures.browser import document, tab
from tests.fixtures.environment import environment
from tests.fixtures.processes import free_port
from tests.fixtures.service import Service, listening
from tests.fixtures.terminal import Terminal
from tests.fixtures.views import NOW, Serve, caption, column, set_clock, total, written
from tests.fixtures.waiting import LONGEST_WAIT_S

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LEFT = NOW - DAY - HOUR
COUNT = re.compile(r"[\d,]+")
SHADED = """() => {
  const chart = document.querySelector("#volume .chart"), rows = [...document.querySelectorAll("#volume tbody tr")];
  const spans = chart.dataset.shaded.trim().split(" ").filter(Boolean).map(span => span.split("-").map(Number));
  const [first, next] = rows.map(row => Number(row.dataset.from)), end = Number(rows.at(-1).dataset.from) + next - first;
  return spans.reduce((sum, [from, to]) => sum + to - from, 0) / (end - first);
}"""

LINE = re.compile(r"\d\d:\d\d:\d\d (?:WARNING )?[a-zA-Z]")
BAR = re.compile(r"collecting: .*\| \d+/\d+ \[.*\]")


@pytest.fixture
def x(pretend_x: Emulator) -> Iterator[Emulator]:
    """The emulator, whose clock a test may set."""
    yield pretend_x
    pretend_x.clear_faults()
    pretend_x.clock.hold(NOW)


def set_time(service: Service, x: Emulator, now: datetime) -> None:
    """Let it be this time, to X and to the service."""
    x.clock.hold(now)
    for _ in range(2):  # one answer of another time alone is not believed
        service.collector.clock.set_by_answer(now)
    set_clock(service, now)


def collect(service: Service, x: Emulator, now: datetime) -> Json:
    """Collect as of a time, and return the collection."""
    set_time(service, x, now)
    answer = service.request("POST", "/database")
    assert answer.status_code == 200
    return dict(answer.json()["collection"])


def let_age(service: Service) -> None:
    """Let the collections have been 25 hours ago on this machine's clock."""
    when = datetime.now(NOW.tzinfo) - DAY - HOUR
    service.collector.database.write(lambda session: session.execute(update(Run).values(started=when, ended=when)))


def filed(page: Page, figure: str) -> list[dict[str, str]]:
    """Click a figure's link to its CSV, and return the rows."""
    with page.expect_download() as saved:
        page.locator(f"figure#{figure}").get_by_role("link", name="CSV").click()
    return list(csv.DictReader(io.StringIO(saved.value.path().read_text("utf-8-sig"))))


def row(page: Page, figure: str, name: str) -> Locator:
    return page.locator(f"figure#{figure} tbody tr").filter(has=page.get_by_role("link", name=name, exact=True))


@pytest.mark.browser
def test_after_a_day_without_collection_the_page_of_a_tag_has_no_zero_and_leads_to_a_number(
    serve: Serve, x: Emulator, chromium: Browser
) -> None:
    service = serve()
    collect(service, x, LEFT)
    set_time(service, x, NOW)
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tags/devops?period=24h")
        assert total(document(page), "Tweets") == "–"
        empty = page.locator(".empty")
        expect(empty).to_contain_text("Nothing was collected since Mon 23 Nov")
        for misleading in ("as before", "fewer", "more than", "No tweets"):
            expect(page.get_by_role("main")).not_to_contain_text(misleading)
        assert page.evaluate(SHADED) > 0.95  # all but the rest of this hour
        assert {one["Tweets"] for one in filed(page, "volume")} == {""}
        empty.get_by_role("link", name="Collect now").click()
        page.get_by_role("main").get_by_role("button", name="Collect now").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("done")
        page.goto(f"{service.url}/view/tags/devops?period=24h")
        assert COUNT.match(total(document(page), "Tweets"))
        expect(page.locator(".empty")).to_have_count(0)


@pytest.mark.browser
def test_tags_that_a_collection_did_not_reach_are_unknown_and_no_total_has_fallen(
    serve: Serve, x: Emulator, chromium: Browser
) -> None:
    service = serve(TW_NUMBER="1000")
    collect(service, x, LEFT)
    for tag in ("#devops", "#Observability"):
        x.plan("server_503", tag=tag, times=None)
    assert collect(service, x, NOW)["state"] == "partial"
    with tab(chromium) as page:
        page.goto(f"{service.url}/?period=24h")
        found = document(page)
        assert "fewer" not in caption(found, "volume")
        assert "#devops was not collected since Mon 23 Nov" in caption(found, "volume")
        assert dict(zip(column(found, "tags", "Tag"), column(found, "tags", "Tweets"), strict=True))["#devops"] == "–"
        assert COUNT.fullmatch(dict(zip(column(found, "tags", "Tag"), column(found, "tags", "Tweets"), strict=True))["#sre"])
        expect(row(page, "tags", "#devops")).not_to_contain_text("as before")
        expect(page.get_by_label("What to look at")).to_contain_text("#devops not collected")
        assert {one["Tag"]: one["Tweets"] == "" for one in filed(page, "tags")} == {
            "#devops": True,
            "#Observability": True,
            "#sre": False,
        }
        page.goto(f"{service.url}/view/tags/devops?period=24h")
        expect(page.locator(".empty")).to_contain_text("Nothing was collected since Mon 23 Nov")


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service as `make run` starts it in a fresh clone, after its first collection."""
    folder = tmp_path_factory.mktemp("clone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("database.sqlite.DATA", folder / "data")
        patch.setattr(sources, "REAL_FILE", folder / "data/tweets.db")
        patch.setattr(sources, "EMULATED_FILE", folder / "data/emulated.db")
        with listening(folder) as service:
            started = service.collector.start_first()
            assert started
            assert service.collector.outcome(started).state == "done"
            yield service


@pytest.mark.browser
def test_the_first_page_shows_two_weeks_and_what_grew(newcomer: Service, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(newcomer.url)
        expect(page.get_by_label("Invented tweets")).to_be_visible()
        found = document(page)
        assert page.evaluate(SHADED) < 0.02
        assert re.search(r"(fewer|more|as many as) (than )?in the 7 days before", caption(found, "volume"))
        assert "sample" not in found.one("main").words
        assert "–" not in column(found, "tags", "Change")
        assert "the emulator is free" in found.one("dl", class_="totals cards").words


@pytest.mark.browser
def test_while_little_is_stored_the_counts_of_x_lead_and_the_rest_is_called_a_sample(
    serve: Serve, x: Emulator, chromium: Browser
) -> None:
    service = serve(TW_NUMBER="10", COUNT_EVERY="1d")
    collect(service, x, NOW)
    ScheduledJobs(service.collector, Plan()).count(Event())
    with tab(chromium) as page:
        page.goto(service.url)
        found = document(page)
        assert found.one("dl", class_="totals cards").all("dt")[0].words == "Posts on X"
        assert re.match(r"#devops leads: [\d,]+ tweets on X in 7 days; \d+ stored, a sample of ", caption(found, "tags"))
        assert "a sample of" in caption(found, "volume")
        assert not re.search("fewer|grew most", found.one("main").words)


@pytest.mark.browser
def test_untracking_asks_says_what_stays_and_is_taken_back_without_scripts_and_mouse(
    filled: Service, chromium: Browser
) -> None:
    with tab(chromium, java_script_enabled=False) as page:
        page.goto(f"{filled.url}/view/tags")
        own = page.locator("#tag-sre")
        tweets = own.locator("td").first.inner_text()
        own.get_by_role("link", name="Untrack").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Stop collecting #sre?")
        expect(page.get_by_role("main")).to_contain_text(f"Its {tweets} tweets stay stored")
        assert "#sre" in [one["tag"] for one in filled.get("/tags").json()["tags"]]
        page.get_by_role("button", name="Untrack #sre").press("Enter")
        expect(own).to_have_count(0)
        page.get_by_role("button", name="Track #sre again").press("Enter")
        expect(own.locator("td").first).to_have_text(tweets)


@pytest.mark.browser
def test_data_that_ages_is_said_on_each_page_and_health_never_says_that_all_is_well(
    serve: Serve, x: Emulator, chromium: Browser
) -> None:
    service = serve()
    collect(service, x, NOW)
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/health")
        expect(page.locator("header .status")).to_contain_text("Last collected")
        let_age(service)
        page.reload()
        expect(page.locator("header .status")).to_contain_text("needs attention: The newest data is 25 hours old")
        for part in ("Schedule", "Collection"):
            expect(page.locator("ul.parts li").filter(has_text=part).first).to_contain_text("25 hours old")
        expect(page.get_by_role("main")).not_to_contain_text("All is well")


@pytest.mark.browser
def test_the_first_page_follows_the_first_collection_and_loses_neither_a_click_nor_what_is_typed(
    serve: Serve, chromium: Browser, gate: Semaphore
) -> None:
    service = serve(X_TIMEOUT="60s")
    assert service.request("POST", "/collections").status_code == 202
    with tab(chromium) as page:
        page.goto(service.url)
        expect(page.get_by_role("heading", name="The first tweets are being collected")).to_be_visible()
        typed, menu, status = page.get_by_label("Contains"), page.locator(".views summary"), page.locator("header .status")
        page.locator("select[name=tag]").select_option("#sre")
        menu.hover()
        page.mouse.down()
        with page.expect_response(lambda answer: "1 of 3 tags done" in answer.text()):
            gate.release()
        page.mouse.up()
        expect(page.locator(".views ul")).to_be_visible()
        page.keyboard.press("Escape")
        typed.press_sequentially("on ca")
        expect(status).to_contain_text("1 of 3 tags done")
        expect(page.locator("figure#tags")).to_be_visible()
        typed.press_sequentially("ll")
        gate.release(100)
        expect(page.locator("#volume canvas")).to_be_visible()
        expect(status).to_contain_text("Last collected")
        expect(typed).to_be_focused()
        typed.press("Enter")
        expect(page.get_by_label("Without contains: on call")).to_be_visible()
        expect(page.get_by_label("Without tag sre")).to_be_visible()


@pytest.mark.browser
def test_a_date_is_typed_shares_name_what_they_are_of_and_a_file_is_for_people(serve: Serve, chromium: Browser) -> None:
    texts = {0: "R&amp;D on call #sre", 1: "quiet &lt;again&gt; #sre"}
    service = serve(*(written(NOW - at * DAY, at, texts.get(at, "nothing new #sre")) for at in range(6)))
    with tab(chromium) as page:
        answer = page.goto(f"{service.url}/tweets?since=2026-11-23")
        assert answer
        assert [one["created"][:10] for one in answer.json()["tweets"]] == ["2026-11-23", "2026-11-24"]
        wrong = page.goto(f"{service.url}/tweets?since=2026-11-23T00:00:00+01:00")
        assert wrong
        assert "%2B" in wrong.json()["detail"]
        page.goto(f"{service.url}/")
        assert "100 % of 6 tag matches" in caption(document(page), "tags")
        assert "100 % of 6 tweets" in caption(document(page), "languages")
        page.goto(f"{service.url}/view/tweets?q=%22R%26D%22")
        with page.expect_download() as saved:
            page.get_by_role("link", name="CSV", exact=True).click()
        assert "R&D on call" in saved.value.path().read_text()
        kept = page.request.get(f"{service.url}/tweets?format=csv")
        assert "R&amp;D on call" in kept.text()


@pytest.mark.process
def test_a_terminal_shows_readable_lines_above_one_whole_bar_and_where_to_open_the_service(
    tmp_path: Path, pretend_x: Emulator
) -> None:
    settings = environment(tmp_path, pretend_x) | {"TAGS": "#sre", "HOME": str(tmp_path), "TW_NUMBER": "10"}
    with closing(Terminal("api.py", **settings)) as terminal:
        while terminal.read():
            pass
        assert terminal.process.wait(LONGEST_WAIT_S) == 0
        *lines, report = terminal.rows
        bars = [line for line in lines if "collecting:" in line]
        assert [bool(BAR.fullmatch(bar)) for bar in bars] == [True], terminal.rows
        assert [line for line in lines if line not in bars and not LINE.match(line)] == []
        assert any("page stored tag=#sre posts=10" in line for line in lines)
        assert report == "10 tweets added, 1 of 1 tag collected"
    port = str(free_port())
    with closing(Terminal("app.py", **settings, PORT=port)) as terminal:
        while f"Open http://127.0.0.1:{port}" not in terminal.rows:
            assert terminal.read(), terminal.rows
        terminal.process.send_signal(signal.SIGTERM)
        while terminal.read():
            pass
        assert terminal.process.wait(LONGEST_WAIT_S) == 0
        assert [row for row in terminal.rows if not LINE.match(row) and not row.startswith("Open ")] == []
