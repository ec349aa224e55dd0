"""Pages fit every window, are usable by keyboard, fold on telephones, print, save pictures, and remember the time zone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.pictures import LOAD_ALL
from tests.fixtures.browser import tab, untidy
from tests.fixtures.service import Service
from tests.fixtures.waiting import wait_until

PATHS = (
    "/",
    "/?lang=english",
    "/view/tweets",
    "/view/tweets?since=2026-11-20T10:30:07Z&until=2026-11-25T11:45:09Z",
    "/view/tags",
    "/view/tags/devops",
    "/view/compare",
    "/view/compare?tag=devops&tag=sre",
    "/view/authors/ada_3",
    "/view/collections",
    "/view/collections/new",
    "/view/schedule",
    "/view/backfill?since=2026-11-01&until=2026-11-02",
    "/view/refresh?since=2026-11-01&until=2026-11-30",
    "/view/saved?path=%2F%3Fperiod%3D30d",
    "/view/tags/devops/untrack",
    "/view/watches",
    "/view/watches?kind=threshold&filters=q%3Dodd%26tag%3Dsre",
    "/view/watches?kind=digest",
    "/view/health",
    "/view/spike?start=2026-11-22T08:00:00Z",
)
WIDTHS = (360, 390, 768, 1024, 1280, 1440, 1600, 1920, 2560)
TABLES_FIT_FROM = 1024
TELEPHONE = {"width": 390, "height": 844}
A4 = {"width": 794, "height": 1123}
MOST_SCREENS = 5
PNG = b"\x89PNG\r\n"
OPEN_NUMBERS = "for (const one of document.querySelectorAll('details.numbers')) one.open = true"
TOO_WIDE = """least => {
  const wide = one => one.scrollWidth > one.clientWidth;
  const scrolled = [...document.querySelectorAll(".scroll")].filter(one => one.checkVisibility() && wide(one));
  const tables = innerWidth >= least ? scrolled.map(one => one.ariaLabel) : [];
  const right = one => one.getBoundingClientRect().right;
  const covering = [...document.querySelectorAll("label > select")].filter(one => right(one) > right(one.parentNode) + 1);
  return [...(wide(document.documentElement) ? ["the page"] : []), ...tables, ...covering.map(one => one.name)];
}"""
COVERED = """() => {
  const shown = [...document.querySelectorAll("main :is(button, input, select, summary)")].filter(one => one.checkVisibility());
  const boxes = shown.map(one => [one.getBoundingClientRect(), one.outerHTML]).filter(([box]) => box.width);
  const meet = (one, other) => Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1
    && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 1;
  return boxes.filter(([box], at) => boxes.slice(0, at).some(([other]) => meet(box, other))).map(([, html]) => html);
}"""
TOO_SMALL = """() => [...document.querySelectorAll("a, button, summary, input, select")]
  .filter(one => one.checkVisibility() && one.type !== "hidden" && !one.matches("p a, .skip"))
  .filter(one => one.getBoundingClientRect().width < 24 || one.getBoundingClientRect().height < 24)
  .map(one => one.outerHTML)"""
REACHABLE = """() => [...document.querySelectorAll("a, button, summary, input, select, .scroll, .openable")]
  .filter(one => one.checkVisibility() && one.type !== "hidden").length"""
FOCUS = """() => {
  if (document.activeElement === document.body) {
    return true;
  }
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  document.activeElement.dataset.reached = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 ? "seen" : "unseen";
  return false;
}"""


@pytest.fixture(scope="module")
def service(planted_service: Service) -> Service:
    return planted_service


@pytest.mark.browser
@pytest.mark.parametrize("path", PATHS)
def test_a_page_fits_each_width_and_from_1024_pixels_each_table_does_and_nothing_covers_a_control(
    service: Service, chromium: Browser, path: str
) -> None:
    with tab(chromium) as page:
        page.goto(service.url + path)
        page.evaluate(OPEN_NUMBERS)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            wait_until(lambda: page.evaluate(TOO_WIDE, TABLES_FIT_FROM) == [])  # a chart is drawn anew
            assert page.evaluate(COVERED) == [], width
        page.set_viewport_size(TELEPHONE)  # type: ignore[arg-type]
        assert page.evaluate(TOO_SMALL) == []


@pytest.mark.browser
def test_on_a_telephone_the_overview_is_short_and_each_section_opens(service: Service, chromium: Browser) -> None:
    with tab(chromium, viewport=TELEPHONE) as page:
        page.goto(service.url)
        expect(page.locator("#volume canvas")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollHeight") <= MOST_SCREENS * TELEPHONE["height"]
        links = page.get_by_role("navigation").get_by_role("link").all()
        assert len({box["y"] for link in links if (box := link.bounding_box())}) == 1
        rows = page.locator("#languages table")
        expect(rows).to_be_hidden()
        page.locator("#languages summary").press("Enter")
        expect(rows).to_be_visible()


@pytest.mark.browser
def test_the_menu_of_views_is_within_each_window(service: Service, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(service.url)
        page.locator(".views summary").click()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            box = page.locator(".views ul").bounding_box()
            assert box
            assert box["x"] >= 0, width
            assert box["x"] + box["width"] <= width
        page.keyboard.press("Escape")
        expect(page.locator(".views ul")).to_be_hidden()
        expect(page.locator(".views summary")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".views ul")).to_be_visible()
        page.locator("h1").click()
        expect(page.locator(".views ul")).to_be_hidden()


@pytest.mark.browser
@pytest.mark.parametrize("path", ["/", "/view/tags"])
def test_all_that_can_be_used_is_reached_by_the_tabulator_key_and_shows_the_focus(
    service: Service, chromium: Browser, path: str
) -> None:
    with tab(chromium, reduced_motion="reduce") as page:
        page.goto(service.url + path)
        page.wait_for_function(LOAD_ALL)
        for _ in range(page.evaluate(REACHABLE) + 20):  # a date has several parts
            page.keyboard.press("Tab")
            if page.evaluate(FOCUS):
                break
        assert page.locator('[data-reached="unseen"]').count() == 0
        assert page.locator('[data-reached="seen"]').count() == page.evaluate(REACHABLE)


def opened_in(page: Page, service: Service, path: str) -> str:
    """Open a page, and return the time zone that it says once it has settled."""
    page.goto(service.url + path)
    page.wait_for_load_state("networkidle")
    return page.locator("html").get_attribute("data-zone") or ""


@pytest.mark.browser
def test_times_are_in_the_browser_s_time_zone_until_another_is_chosen(service: Service, chromium: Browser) -> None:
    with tab(chromium, timezone_id="Asia/Tokyo") as page:
        assert opened_in(page, service, "/?q=odd") == "Asia/Tokyo"
        assert page.url == f"{service.url}/?q=odd&tz=Asia%2FTokyo"
        page.get_by_text("More filters").click()
        page.get_by_label("Time zone").fill("Europe/Berlin")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("html")).to_have_attribute("data-zone", "Europe/Berlin")
        assert opened_in(page, service, "/view/health") == "Europe/Berlin"
        assert opened_in(page, service, "/?tz=UTC") == "UTC"
        assert untidy(page) == []


@pytest.mark.browser
def test_a_chart_is_saved_as_a_picture(service: Service, chromium: Browser) -> None:
    with tab(chromium, accept_downloads=True) as page:
        page.goto(service.url)
        with page.expect_download() as saved:
            page.get_by_role("button", name="PNG of Tweets per 4 hours").click()
        assert saved.value.suggested_filename == "volume.png"
        assert saved.value.path().read_bytes().startswith(PNG)
        assert untidy(page) == []


@pytest.mark.browser
def test_on_paper_all_sections_are_open_and_what_can_only_be_clicked_is_left_out(service: Service, chromium: Browser) -> None:
    with tab(chromium, viewport=TELEPHONE) as page:
        page.goto(service.url)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        for gone in ("nav", "form", ".segments", ".files", ".uplot"):
            expect(page.locator(gone).first).to_be_hidden()
        for shown in ("#volume svg.still", "#languages table", "#week table"):
            expect(page.locator(shown)).to_be_visible()
        page.set_viewport_size(A4)  # type: ignore[arg-type]
        assert page.evaluate(TOO_WIDE, 0) == []


@pytest.mark.browser
def test_values_stand_beside_the_pointer(service: Service, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(service.url)
        chart = page.locator("#volume .u-over")
        chart.hover(position={"x": 200, "y": 60})
        tip = page.locator("#volume .tip")
        expect(tip).to_contain_text("All tweets: ")
        pointer, box = chart.bounding_box(), tip.bounding_box()
        assert pointer
        assert box
        assert abs(box["x"] - (pointer["x"] + 200)) <= 60
