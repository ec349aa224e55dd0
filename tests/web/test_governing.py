"""A team lead runs the service from its pages: schedule, cost and budget, a backfill with its price, saved views."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import update

from api import get_tweets
from collector.jobs.interval import budget_end, choose_schedule
from collector.ledger.pricing import BudgetLeft
from collector.refresh.records import switch_off
from collector.x import client
from emulator import Emulator
from models import Run
from tests.fixtures.browser import accessibility, tab, untidy
from tests.fixtures.documents import Element, opened, read, sent
from tests.fixtures.service import Service
from tests.fixtures.views import NOW, Serve, set_clock

SCHEDULE, BACKFILL, REFRESH, SAVED = "/view/schedule", "/view/backfill", "/view/refresh", "/view/saved"
SINCE, UNTIL = NOW.replace(day=3, hour=0, minute=0), NOW.replace(day=5, hour=0, minute=0)
PERIOD = f"since={SINCE:%Y-%m-%d}&until={UNTIL - timedelta(days=1):%Y-%m-%d}&tag=sre"
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture(scope="module", autouse=True)
def _prompt() -> Iterator[None]:
    """Let X's archive answer as often as it is asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "ARCHIVE_EVERY_S", 0.0)
        yield


@pytest.fixture(scope="module")
def pretend_x() -> Iterator[Emulator]:
    """A small emulator of X with a stopped clock, whose archive takes any number of requests a second."""
    with Emulator(tweets=2_000, now=NOW, archive_pace=0) as running:
        yield running


@pytest.fixture
def fresh(serve: Serve) -> Service:
    running = serve(TAGS="#devops,#sre", TW_NUMBER="10", MONTHLY_BUDGET_USD="20", COLLECT_EVERY="12h")
    set_clock(running)
    return running


def cards(page: Element) -> dict[str, str]:
    """Return the page's numbers by what they are called."""
    return {one.one("dt").words: one.one("dd").words for one in page.one("main").one("dl", class_="totals cards").all("div")}


def set_schedule(service: Service, every: str) -> None:
    """Press the button that sends this interval, and see the page."""
    [form] = [one for one in opened(service, SCHEDULE).all("form", action=SCHEDULE) if one.all("input", value=every)]
    answer = sent(service, form, every=every)
    assert (answer.status_code, answer.headers["Location"]) == (303, SCHEDULE)


def test_the_schedule_is_changed_with_its_cost_switched_off_and_returned_to_the_setting(fresh: Service) -> None:
    assert "every 12 hours" in cards(opened(fresh, SCHEDULE))["Collections"]
    assert "Set by COLLECT_EVERY" in cards(opened(fresh, SCHEDULE))["Collections"]
    set_schedule(fresh, "1h")
    shown = cards(opened(fresh, SCHEDULE))
    assert "every hour" in shown["Collections"]
    assert "Chosen here; COLLECT_EVERY says every 12 hours." in shown["Collections"]
    assert shown["Cost in 30 days"].startswith("$72.00 to $216.00")  # two tags that X never counted, ten tweets each
    assert fresh.get("/schedule").json()["usd_per_month"] == {"floor": 72, "ceiling": 216}
    assert shown["The budget reaches"].startswith("until 26 Nov 2026")
    assert shown["The budget reaches"].endswith("Choose a longer interval, or raise the budget.")
    set_schedule(fresh, "off")
    assert cards(opened(fresh, SCHEDULE)).keys() == {"Collections", "Cost in 30 days", "Budget left"}
    assert "off" in cards(opened(fresh, SCHEDULE))["Collections"]
    [_, of_tags] = opened(fresh, SCHEDULE).one("main").all("table")
    assert "Cost in 30 days, every hour" in [one.words for one in of_tags.all("th", scope="col")]
    assert of_tags.words.count("at most $36.00 to $108.00") == 2
    set_schedule(fresh, "setting")
    assert "Set by COLLECT_EVERY" in cards(opened(fresh, SCHEDULE))["Collections"]


def test_each_interval_says_before_it_is_chosen_what_it_costs_and_how_far_the_budget_reaches(fresh: Service) -> None:
    offers = opened(fresh, SCHEDULE).one("form", class_="offers").one("tbody").all("tr")
    known = {cells[0]: cells[1:] for row in offers for cells in [[cell.words for cell in row.all("th", "td")]]}
    assert known["every 12 hours now"] == ["$6.00 to $18.00", "to its end, 1 Dec 2026", "the whole month"]
    assert known["every 6 hours"] == ["$12.00 to $36.00", "to its end, 1 Dec 2026", "about 16 days"]
    assert known["every hour"] == ["$72.00 to $216.00", "until about 26 Nov 2026", "about 2 days"]
    [chosen] = [one["value"] for row in offers for one in row.all("input") if "checked" in one.attributes]
    assert chosen == "12h"


def test_an_interval_that_the_page_does_not_send_is_refused(fresh: Service) -> None:
    before = fresh.get("/schedule").json()["every"]
    for every in ("", "1m", "soon"):
        assert fresh.request("POST", SCHEDULE, data={"every": every}).status_code == 400
    assert fresh.get("/schedule").json()["every"] == before


@pytest.mark.parametrize(
    ("left", "a_month", "ends"), [(20, 0, None), (20, 60, "2026-12-04"), (20, 30, None), (0, 1, "2026-11-24")]
)
def test_the_budget_reaches_as_far_as_the_schedule_lets_it(left: int, a_month: int, ends: str | None) -> None:
    until = NOW.date() + timedelta(days=17)
    found = budget_end(BudgetLeft(left, 80, until), a_month, now=NOW)
    assert (found.isoformat() if found else None) == ends


def test_a_backfill_is_counted_priced_and_bought_for_the_amount_on_the_button(fresh: Service, pretend_x: Emulator) -> None:
    known = pretend_x.count("#sre", SINCE, UNTIL)
    form = opened(fresh, BACKFILL).one("form", action=BACKFILL)
    assert form["method"] == "get"
    page = opened(fresh, f"{BACKFILL}?{PERIOD}")
    assert "48 hours not counted." in page.one("main").words
    assert (cards(page)["Tweets to buy"], cards(page)["Price"]) == ("unknown", "unknown")
    assert pretend_x.requests == []
    counted = sent(fresh, page.one("form", action=f"{BACKFILL}/counts"))
    assert counted.status_code == 303
    page = opened(fresh, counted.headers["Location"])
    assert page.all("form", action=f"{BACKFILL}/counts") == []
    assert cards(page)["Tweets to buy"] == str(known)
    buy = page.one("form", action=BACKFILL, method="post")
    price = f"{-(-known * 15_000 // 10_000) / 100:.2f}"
    assert buy.one("button").words == f"Buy {known} tweets for at most ${price}"
    assert buy.one("input", name="max_usd")["value"] == price
    assert fresh.get("/collections").json()["collections"] == []
    started = sent(fresh, buy).headers["Location"]
    fresh.until(lambda: fresh.get("/collections").json()["collections"][0]["state"] == "done")
    assert started == "/view/collections/{id}".format(**fresh.get("/collections").json()["collections"][0])
    assert len(fresh.get("/tweets?tag=sre").json()["tweets"]) == known
    assert "Nothing is left to buy" in opened(fresh, counted.headers["Location"]).one("main").words
    assert pretend_x.ledger.twice() == {}


def test_a_backfill_does_not_make_old_data_look_new(fresh: Service, pretend_x: Emulator) -> None:
    normal = fresh.request("POST", "/database").json()["collection"]["id"]
    when = datetime.now(NOW.tzinfo) - timedelta(hours=25)
    fresh.collector.database.write(lambda session: session.execute(update(Run).values(started=when, ended=when)))
    counted = sent(fresh, opened(fresh, f"{BACKFILL}?{PERIOD}").one("form", action=f"{BACKFILL}/counts")).headers["Location"]
    sent(fresh, opened(fresh, counted).one("form", action=BACKFILL, method="post"))
    fresh.until(lambda: fresh.get("/collections").json()["collections"][0]["state"] == "done")
    assert "25 hours old" in opened(fresh, "/view/health").one("header").words
    assert "All is well" not in opened(fresh, "/view/health").one("main").words
    assert {one["last_collection"]["id"] for one in fresh.get("/tags").json()["tags"]} == {normal}
    assert fresh.get("/readyz").json()["last_collection"]["id"] == normal
    history = opened(fresh, "/view/collections").one("main").all("th", scope="row")
    assert history[-2].words.endswith("backfill")
    assert "backfill" not in history[-1].words


def test_a_price_that_has_risen_is_shown_and_nothing_is_bought(fresh: Service) -> None:
    counted = fresh.request("POST", f"{BACKFILL}/counts", data=f"{PERIOD}&max_usd=1", headers=FORM)
    assert counted.status_code == 200, read(counted.text).one(role="alert").words
    before = len(fresh.get("/collections").json()["collections"])
    answer = fresh.request("POST", BACKFILL, data=f"{PERIOD}&max_usd=0.01", headers=FORM)
    assert answer.status_code == 409
    assert "is above $0.01: nothing was bought" in read(answer.text).one(role="alert").words
    assert read(answer.text).one("form", action=BACKFILL, method="post")
    assert len(fresh.get("/collections").json()["collections"]) == before


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("since=2026-11-05&until=2026-11-03", "until"),
        ("since=&until=2026-11-03", "since"),
        ("since=2009-01-01&until=2026-11-03", "since"),
        ("since=2026-11-01", "until"),
        ("since=2026-11-01&until=9999-12-31", "until"),
    ],
)
def test_days_that_are_no_period_are_marked_in_the_form(service: Service, query: str, wrong: str) -> None:
    page = opened(service, f"{BACKFILL}?{query}&tag=sre", status=400)
    field = page.one("form", action=BACKFILL).one("input", name=wrong)
    assert field["aria-invalid"] == "true"
    assert page.one(id=field["aria-describedby"]).words
    assert "checked" in page.one("input", value="sre").attributes
    assert page.all("form", action=BACKFILL, method="post") == []


def test_a_view_is_saved_from_any_page_opened_from_every_page_and_deleted(fresh: Service) -> None:
    place = "/view/tweets?lang=en&q=on+call&period=30d"
    save = opened(fresh, place).one("details", class_="views").one("a", href=True)["href"]
    form = opened(fresh, save).one("form", action=SAVED)
    assert form.one("input", name="path")["value"] == place
    assert sent(fresh, form, name=f"On call {HOSTILE}").headers["Location"] == f"{SAVED}#saved"
    menu = opened(fresh, "/").one("details", class_="views")
    assert [one.words for one in menu.all("a", href=place)] == [f"On call {HOSTILE}"]
    delete = opened(fresh, SAVED).one("form", action=f"{SAVED}/delete")
    again = opened(fresh, sent(fresh, delete).headers["Location"])
    assert again.one(role="status").words == "No view has this name now. You can save it again."
    assert fresh.get("/views").json() == {"views": []}
    assert sent(fresh, again.one("form", action=SAVED)).status_code == 303
    assert fresh.get("/views").json() == {"views": [{"name": f"On call {HOSTILE}", "path": place}]}


def test_a_view_replaces_another_one_only_after_a_question(fresh: Service) -> None:
    assert fresh.request("PUT", "/views/Money", json={"path": "/view/tweets"}).ok
    save = opened(fresh, SAVED).one("form", action=SAVED)
    assert sent(fresh, save, name="Money", path="/view/tweets").status_code == 303  # the same one
    asked = sent(fresh, save, name=" Money", path="/view/schedule")
    question = read(asked.text).one(role="alert")
    assert (asked.status_code, question.one("a", class_="address")["href"]) == (409, "/view/tweets")
    assert fresh.get("/views").json() == {"views": [{"name": "Money", "path": "/view/tweets"}]}
    assert sent(fresh, question.one("form")).status_code == 303
    assert fresh.get("/views").json() == {"views": [{"name": "Money", "path": "/view/schedule"}]}
    assert fresh.request("PUT", "/views/Money", json={"path": "/"}).status_code == 200  # the API does not ask
    assert fresh.request("DELETE", "/views/Money").status_code == 204


def test_an_address_makes_the_page_say_nothing_of_its_own(service: Service) -> None:
    assert opened(service, f"{SAVED}?deleted=Everything", status=400).one("main")
    page = opened(service, f"{SAVED}?name=Everything")
    assert page.one(role="status").words == "No view has this name now. You can save it again."


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"name": " ", "path": "/"}, "name"),
        ({"name": "On call \u202egnp.exe", "path": "/"}, "name"),
        ({"name": "x", "path": "https://evil.example/"}, "path"),
        ({"name": "x", "path": "/view/../docs"}, "path"),
    ],
)
def test_a_view_that_is_none_is_marked_in_the_form(service: Service, values: dict[str, str], wrong: str) -> None:
    answer = sent(service, opened(service, SAVED).one("form", action=SAVED), **values)
    field = read(answer.text).one("form", action=SAVED).one("input", name=wrong)
    assert (answer.status_code, field["aria-invalid"], field["value"]) == (400, "true", values[wrong])
    assert service.get("/views").json() == {"views": []}


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible_and_work_without_scripts(fresh: Service, chromium: Browser, scheme: str) -> None:
    choose_schedule(fresh.collector.database, "1h")
    with tab(chromium, color_scheme=scheme, java_script_enabled=True) as page:
        for path in (SCHEDULE, f"{BACKFILL}?{PERIOD}", f"{BACKFILL}?since=2026-11-05&until=2026-11-03", SAVED):
            page.goto(fresh.url + path)
            assert accessibility(page) == [], path
        page.locator(".views summary").click()
        assert accessibility(page) == []
        assert [fault for fault in untidy(page) if "400 (BAD REQUEST)" not in fault] == []
    with tab(chromium, java_script_enabled=False) as page:
        page.goto(fresh.url + SCHEDULE)
        page.get_by_role("button", name="Switch off").press("Enter")
        expect(page.get_by_role("button", name="Switch on")).to_be_visible()
        page.locator(".views summary").press("Enter")
        page.get_by_role("link", name="Save this view").press("Enter")
        page.get_by_label("Name").fill("Money")
        page.keyboard.press("Enter")
        expect(page.get_by_role("main").get_by_role("link", name="Money")).to_be_visible()


def test_a_look_shows_its_price_and_is_read_by_the_service(fresh: Service) -> None:
    get_tweets(fresh.collector)
    page = opened(fresh, f"{REFRESH}?since=2026-11-01&until=2026-11-30")
    assert cards(page)["Tweets to read again"].startswith("20")
    assert fresh.get(f"{REFRESH}?tag=sre").status_code == 400
    form = next(one for one in page.all("form", action=REFRESH) if one.all("input", name="max_usd"))
    answer = sent(fresh, form)
    assert (answer.status_code, answer.headers["Location"]) == (303, REFRESH)
    assert "0 tweets of Sun 1 Nov 2026, 00:00 to Tue 1 Dec 2026, 00:00 read again, 20 left." in opened(fresh, REFRESH).words
    fresh.app.extensions["job_runner"].run_due()
    assert "Being read" not in opened(fresh, REFRESH).words


def test_a_look_is_cancelled_on_its_page(fresh: Service) -> None:
    get_tweets(fresh.collector)
    page = opened(fresh, f"{REFRESH}?since=2026-11-01&until=2026-11-30")
    sent(fresh, next(one for one in page.all("form", action=REFRESH) if one.all("input", name="max_usd")))
    [cancel] = opened(fresh, REFRESH).all("form", action=f"{REFRESH}/cancel")
    assert sent(fresh, cancel).status_code == 303
    assert "Being read" not in opened(fresh, REFRESH).words


def test_what_went_off_by_itself_is_switched_on_again_on_a_page(fresh: Service) -> None:
    with fresh.collector.database.writing() as session:
        switch_off(session, "X's count rose")
    assert "X's count rose" in opened(fresh, "/view/health").words
    assert "twitterapi_refresh_off 1.0" in fresh.get("/metrics").text
    [form] = opened(fresh, REFRESH).all("form", action=f"{REFRESH}/on")
    assert sent(fresh, form).status_code == 303
    assert "X's count rose" not in opened(fresh, "/view/health").words
    assert "twitterapi_refresh_off 0.0" in fresh.get("/metrics").text
