"""Every page is complete, small, loads own files only, explains errors, and is accessible in a browser."""

from __future__ import annotations

import gzip
import re

import pytest
from playwright.sync_api import Browser

from tests.fixtures.browser import accessibility, document, origins, seen, tab, untidy
from tests.fixtures.documents import BROWSER, opened, read
from tests.fixtures.service import Service
from tests.fixtures.views import against_the_policy, loaded, said

PATHS = (
    "/",
    "/?tag=sre&tag=devops&lang=en&min_followers=1&tz=Asia%2FTokyo&period=24h",
    "/?q=nobody+wrote+this",
    "/view/tweets",
    "/view/tags",
    "/view/tags/devops",
    "/view/compare?tag=devops&tag=microservices&tag=observability",
    "/view/authors/{author}",
    "/view/collections",
    "/view/collections/1",
    "/view/collections/new",
    "/view/schedule",
    "/view/backfill?since=2026-11-01&until=2026-11-02",
    "/view/refresh?since=2026-11-01&until=2026-11-30",
    "/view/saved",
    "/view/tags/devops/untrack",
    "/view/watches",
    "/view/watches?kind=new&filters=tag%3Dsre",
    "/view/watches?kind=digest",
    "/view/health",
    "/view/spike?start=2026-11-24T09:00:00Z",
)
PROBLEMS = {
    "/view/collections/999": 404,
    "/view/nothing": 404,
    "/view/backfill/counts": 405,
    "/view/refresh/cancel": 405,
    "/view/refresh/on": 405,
    "/view/tags/two%20words": 404,
    "/?since=9999-12-31T23:59:59Z&tz=Pacific/Kiritimati": 400,
    "/view/tweets?since=0001-01-01T00:00:00Z&tz=America/New_York": 400,
    "/?" + "&".join(f"tag=t{number}" for number in range(11)): 400,
    "/view/tags/nobody": 404,
    "/view/compare?any_tag=sre": 400,
    "/view/authors/nobody": 404,
    "/view/figures/nobody.csv": 404,
    "/view/tweets?cursor=none": 400,
    "/view/collections?tag=sre": 400,
    "/view/spike": 400,
    "/view/spike?start=soon": 400,
    "/view/spike?start=2026-11-24T09:00:00Z&bucket=week": 400,
    "/view/schedule?tag=sre": 400,
    "/view/saved?tag=sre": 400,
    "/view/watches?tag=sre": 400,
    "/view/watches?filters=since%3D2026-11-01": 400,
    "/view/watches/nobody": 404,
    "/view/collections/1?cursor=x": 400,
}
LISTS = ("/", "/view/tweets", "/view/tags/sre", "/view/authors/{author}")
FAULTS = ("tag=%23", "lang=english", "author=a+b", "min_followers=-1", "since=soon", "period=7w", "tz=Mars", "colour=red")
NOT_ASKED = {"/view/tags/sre": "tag", "/view/authors/{author}": "author"}
MOST_BYTES = 120_000
PACKED, PLAIN = {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "identity"}
WAYS = ((360, "dark"), (1280, "light"), (360, "light"), (1280, "dark"))


@pytest.fixture(scope="module")
def author(filled: Service) -> str:
    name: str = filled.get("/authors?limit=1").json()["authors"][0]["username"]
    return name


def test_each_page_is_whole_and_loads_its_own_files_only(filled: Service, author: str) -> None:
    files: set[str] = set()
    for path in (path.format(author=author) for path in PATHS):
        answer = filled.get(path, headers=BROWSER)
        page, policy = read(answer.text), answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert not re.search(r"unsafe|https?:|\*", policy)
        assert against_the_policy(page) == [], path
        assert page.one("html")["lang"] == "en"
        assert page.one("title").words.endswith(" · Hashtag monitor")
        assert page.one("h1").words
        files |= loaded(page, path)
    assert {file for file in files if not file.startswith("/static/")} == set()
    assert {filled.get(file).status_code for file in files} == {200}


def test_a_browser_gets_an_error_as_a_page_and_a_program_as_a_problem(filled: Service) -> None:
    for path, status in PROBLEMS.items():
        person, program = filled.get(path, headers=BROWSER), filled.get(path, headers={"Accept": "*/*"})
        assert (person.status_code, program.status_code) == (status, status), path
        assert person.headers["Content-Type"] == "text/html; charset=utf-8"
        assert person.headers["Content-Security-Policy"] == filled.get("/").headers["Content-Security-Policy"]
        assert program.headers["Content-Type"] == "application/problem+json"
        assert program.json()["status"] == status
        page = read(person.text)
        assert page.one("h1").words
        assert {"Hashtag monitor", "Overview"} <= {one.words for one in page.all("a", href="/")}
        assert person.headers["X-Request-Id"] in page.one("main").text
    for path in ("/nothing", "/tweets?colour=red"):  # no pages
        assert filled.get(path, headers=BROWSER).headers["Content-Type"] == "application/problem+json"


def test_a_bad_value_is_a_page_that_names_the_field(filled: Service, author: str) -> None:
    for path in LISTS:
        for fault in FAULTS:
            name = fault.partition("=")[0]
            if NOT_ASKED.get(path) != name:
                page = opened(filled, f"{path.format(author=author)}?{fault}", status=400)
                assert [one.words for one in page.one("ul").all("code")] == [name], (path, fault)
        empty = filled.get(f"{path.format(author=author)}?country=", headers=BROWSER)
        assert (empty.status_code, empty.url) == (200, f"http://localhost{path.format(author=author)}")


def test_a_tag_that_was_never_collected_is_unknown_and_not_zero(filled: Service) -> None:
    page = opened(filled, "/?tag=nobody")
    assert page.one("dl", class_="totals cards").all("dd")[0].words == "–"
    assert "#nobody was never collected." in page.one("figure", id="volume").one("figcaption").words
    assert "No tweets" not in page.one("main").words
    assert "Unknown: not collected in this period." in page.one("figure", id="languages").words
    assert filled.get("/timeline?tag=nobody").json()["complete"] is False
    for path in ("/", "/view/tweets"):
        main = opened(filled, f"{path}?tag=NoBody").one("main")
        assert main.all("a", href="/view/collections/new") == []
        assert main.one("form", action="/view/tags").one("input", name="tag")["value"] == "#NoBody"
        assert opened(filled, f"{path}?tag=SRE").one("main").all("form", action="/view/tags") == []
    both = opened(filled, "/?tag=sre&tag=nobody")
    assert both.one("dl", class_="totals cards").all("dd")[0].words == "–"
    assert both.one("figure", id="volume").one("figcaption").words == "#nobody was never collected."


@pytest.mark.parametrize("path", ["/", "/view/tweets", "/view/tags/devops", "/view/collections/new", "/view/health"])
def test_everything_that_a_page_loads_fits_the_size_limit(filled: Service, path: str) -> None:
    own = loaded(opened(filled, path), path)
    assert any(file.endswith(".css") for file in own)
    answers = [filled.get(one, headers=PACKED, stream=True) for one in (path, *own)]
    assert {answer.status_code for answer in answers} == {200}
    assert sum(len(answer.raw.read(decode_content=False)) for answer in answers) <= MOST_BYTES


def test_files_that_pages_load_are_compressed_and_cached(filled: Service) -> None:
    for path in loaded(opened(filled, "/"), "/"):
        packed, plain = (filled.get(path, headers=headers, stream=True) for headers in (PACKED, PLAIN))
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.raw.read(decode_content=False)) == plain.content
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert packed.headers["Cache-Control"].startswith("public")
        again = filled.get(path, headers=PACKED | {"If-None-Match": packed.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_page_that_has_not_changed_is_not_sent_again(filled: Service) -> None:
    first = filled.get("/view/tags", headers=PACKED)
    assert first.headers["Cache-Control"] == "private, no-cache"
    plain = filled.get("/view/tags", headers=PLAIN)
    assert ("Content-Encoding" in plain.headers, plain.text) == (False, first.text)
    assert filled.get("/view/tags", headers=PACKED | {"If-None-Match": first.headers["ETag"]}).status_code == 304
    filled.request("PUT", "/tags/new")
    assert filled.get("/view/tags", headers=PACKED | {"If-None-Match": first.headers["ETag"]}).status_code == 200


@pytest.mark.browser
@pytest.mark.parametrize("number", range(len(PATHS)), ids=PATHS.__getitem__)
def test_a_page_is_tidy_usable_by_everybody_and_the_same_without_scripts(
    filled: Service, chromium: Browser, author: str, number: int
) -> None:
    path = PATHS[number].format(author=author)
    said_by = []
    for scripts in (True, False):
        width, scheme = WAYS[(number + 2 * (not scripts)) % 4]
        options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme, "java_script_enabled": scripts}
        with tab(chromium, **options) as page:
            page.goto(filled.url + path)
            assert untidy(page) == [], options
            assert origins(page) == {filled.url}
            asked_for = {url.removeprefix(filled.url) for url in seen(page).requests}
            assert asked_for <= {path, *loaded(opened(filled, path), path)}
            assert accessibility(page) == [] if scripts else True
            said_by.append(said(document(page)))
    assert said_by[0] == said_by[1]
