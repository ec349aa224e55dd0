"""Tweets that mean harm: they are shown as text, run nothing, load nothing, and break no page and no file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page

from emulator import Emulator
from tests.fixtures.archives import Json, own_row, tweet_id
from tests.fixtures.browser import accessibility, needs_chromium, tab, untidy
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.views import imported

pytestmark = needs_chromium

NOW = datetime.now(UTC).replace(microsecond=0)
RUN = "window.ran = 1"
TEXTS = (
    f"<script>{RUN}</script> #sre",
    f'"><img src=x onerror="{RUN}"> #sre',
    f"</p></article><svg onload='{RUN}'> #sre",
    f"javascript:{RUN} [a](javascript:{RUN}) #sre",
    f'https://evil.example/"onmouseover="{RUN}"x="?a=1&b=<script>{RUN}</script> #sre',
    "http://evil.example/\u202etxt.exe \u202eesrever \u2066 never closed #sre",
    "{{ 7 * 7 }} ${7 * 7} {% raw %} #sre",
    "&lt;script&gt;window.ran = 1&lt;/script&gt; &amp;amp; #sre",
    f"{'x' * 10_000} #sre",
    f"{'https://evil.example/' + 'y' * 3_000} #sre",
    '=HYPERLINK("http://evil.example";"a") #sre',
    "a\u0301\u0301\u0301" * 300 + " \U0001f468\u200d\U0001f469 \u0085\u2028\u2029\t end #sre",
    "<!-- <style>* { display: none } #sre",
)
NAMES = (f"<img src=x onerror='{RUN}'>", "=1+1", "\u202eadA", "' onclick='x", "@ada", "&lt;b&gt;", "n" * 200)
PATHS = ("/", "/view/tweets?limit=200", "/view/tags/sre", "/view/authors/evil_0", "/view/authors/evil_2")


def row(at: int, text: str) -> Json:
    created = NOW - timedelta(minutes=at + 5)
    who: Json = {"username": f"evil_{at % len(NAMES)}", "author": NAMES[at % len(NAMES)], "followers": at}
    place: Json = {"country": f"<b onclick='{RUN}'>", "country_code": None, "lang": '"><script>'}
    when: Json = {"id": str(tweet_id(created, at)), "created": created.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return own_row(text=text, **when, **who, **place)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hostile")
    settings = environment(folder, pretend_x)
    imported(settings, folder, *(row(at, text) for at, text in enumerate(TEXTS)))
    with serving(folder, **settings) as server:
        yield server


def said(text: str) -> str:
    """Return a tweet's text as people read it: X encodes &, < and >; white space is as a browser shows it."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def texts(page: Page) -> list[str]:
    found: list[str] = page.get_by_role("article").evaluate_all("all => all.map(one => one.querySelector('p').textContent)")
    return found


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_runs_and_nothing_breaks(service: Server, chromium: Browser, path: str, width: int) -> None:
    with tab(chromium, viewport={"width": width, "height": 800}) as page:
        page.goto(service.url + path)
        assert page.get_by_role("article").count() > 0
        for link in page.get_by_role("article").get_by_role("link").all()[:3]:
            link.hover()
        assert page.evaluate("window.ran") is None
        assert page.locator("main script, main img, main style, main [onclick], main [onerror], main [onload]").count() == 0
        assert untidy(page) == []
        assert page.get_by_role("contentinfo").count() == 1


def test_every_text_and_name_is_shown_as_it_is(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tweets?limit=200")
        assert texts(page) == [said(text) for text in TEXTS]
        names = page.get_by_role("article").locator("header bdi").all_text_contents()
        assert names == [said(NAMES[at % len(NAMES)]) for at in range(len(TEXTS))]
        assert accessibility(page) == []


def test_links_pass_nothing_on_and_lead_to_the_web_only(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.goto(f"{service.url}/view/tweets?limit=200")
        away = "links => links.filter(one => one.origin !== location.origin).map(one => [one.protocol, one.rel])"
        links = page.get_by_role("main").locator("a").evaluate_all(away)
        assert len(links) > len(TEXTS)
        assert {protocol for protocol, _ in links} <= {"http:", "https:"}
        assert all({"noopener", "nofollow", "ugc"} <= set(rel.split()) for _, rel in links)


def test_a_text_that_is_markup_is_noticed(service: Server, chromium: Browser) -> None:
    """Without its policy, and with a text put in as HTML, the same look finds that something ran."""
    with tab(chromium, bypass_csp=True) as page:
        page.goto(f"{service.url}/view/tweets?limit=200")
        page.evaluate("""document.querySelectorAll('article p').forEach(one => { one.innerHTML = one.textContent; })""")
        page.locator("main img").first.wait_for(state="attached")
        page.evaluate("new Promise(done => setTimeout(done, 100))")
        assert page.evaluate("window.ran") == 1


@pytest.mark.parametrize("name", ["active", "followers", "languages", "countries", "hashtags"])
def test_no_cell_of_a_file_is_a_formula(service: Server, name: str) -> None:
    answer = service.get(f"/view/figures/{name}.csv")
    cells = [cell for line in csv.reader(io.StringIO(answer.text)) for cell in line]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell]
    assert name != "active" or {"'=1+1", "'@ada"} <= set(cells)
