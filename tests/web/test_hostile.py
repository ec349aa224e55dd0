"""Hostile tweets are shown as text: they run and load nothing, and break no page or file."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.fixtures.archives import Json
from tests.fixtures.browser import accessibility, tab, untidy
from tests.fixtures.documents import opened
from tests.fixtures.service import Service
from tests.fixtures.views import NOW, Serve, against_the_policy, written

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
PATHS = (
    "/",
    "/view/tweets?limit=200",
    "/view/tags/sre",
    "/view/authors/evil_0",
    "/view/authors/evil_2",
    "/view/spike?start=2026-11-24T10:00:00Z",
)


def row(at: int, text: str) -> Json:
    who: Json = {"username": f"evil_{at % len(NAMES)}", "author": NAMES[at % len(NAMES)], "followers": at}
    place: Json = {"country": f"<b onclick='{RUN}'>", "country_code": None, "lang": '"><script>'}
    return written(NOW - timedelta(minutes=at + 5), at, text, **who, **place)


@pytest.fixture(scope="module")
def service(serve: Serve) -> Service:
    return serve(*(row(at, text) for at, text in enumerate(TEXTS)))


def said(text: str) -> str:
    """Return a tweet's text with X's entities for &, < and > decoded."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_nothing_of_a_tweet_becomes_markup_and_every_text_and_name_is_shown_as_it_is(service: Service) -> None:
    for path in PATHS:
        page = opened(service, path)
        assert page.all("article")
        assert against_the_policy(page) == []
        assert page.one("main").all("script", "img", "style", "iframe", "b") == []
        assert len(page.all("footer", class_=False)) == 1 + len(page.all("article"))
    articles = opened(service, "/view/tweets?limit=200").all("article")
    assert [one.one("p").text for one in articles] == [said(text) for text in TEXTS]
    assert [one.one("header").one("bdi").text for one in articles] == [said(NAMES[at % len(NAMES)]) for at in range(len(TEXTS))]


def test_links_pass_nothing_on_and_lead_to_the_web_only(service: Service) -> None:
    links = opened(service, "/view/tweets?limit=200").one("main").all("a", href=True)
    away = [one for one in links if not one["href"].startswith(("/", "?"))]
    assert len(away) > len(TEXTS)
    assert {urlsplit(one["href"]).scheme for one in away} <= {"http", "https"}
    assert all({"noopener", "nofollow", "ugc"} <= set(one["rel"].split()) for one in away)
    assert not [one["href"] for one in links if one["href"].startswith("//")]


def test_no_cell_of_a_file_is_a_formula(service: Service) -> None:
    for name in ("active", "followers", "languages", "countries", "hashtags", "terms", "links"):
        text = service.get(f"/view/figures/{name}.csv").text
        cells = {cell for line in csv.reader(io.StringIO(text)) for cell in line}
        assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r"))]
        assert name != "active" or {"'=1+1", "'@ada"} <= cells


@pytest.mark.browser
@pytest.mark.parametrize(("path", "width"), [*((path, 360) for path in PATHS), (PATHS[1], 1280)])
def test_nothing_runs_and_nothing_breaks(service: Service, chromium: Browser, path: str, width: int) -> None:
    with tab(chromium, viewport={"width": width, "height": 800}) as page:
        page.goto(service.url + path)
        for link in page.get_by_role("article").get_by_role("link").all()[:3]:
            link.hover()
        assert page.evaluate("window.ran") is None
        assert page.locator("main script, main img, main style, main [onclick], main [onerror], main [onload]").count() == 0
        assert untidy(page) == []
        assert page.get_by_role("contentinfo").count() == 1
        assert path != PATHS[1] or accessibility(page) == []
        if width > 360:
            assert [one.text_content() for one in page.locator("article p").all()] == [said(text) for text in TEXTS]
