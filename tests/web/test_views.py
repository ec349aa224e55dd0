"""Every page, narrow and wide, light and dark, with scripts and without: whole, tidy, and usable by everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from emulator import Emulator
from tests.fixtures.browser import accessibility, needs_chromium, origins, tab, untidy
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.views import shown

PATHS = (
    "/",
    "/?tag=sre&tag=devops&lang=en&min_followers=1&tz=Asia%2FTokyo&period=24h",
    "/?q=nobody+wrote+this",
    "/view/tweets",
    "/view/tags",
    "/view/tags/devops",
    "/view/authors/{author}",
    "/view/collections",
    "/view/collections/1",
    "/view/collections/new",
    "/view/health",
)
PROBLEMS = {
    "/view/collections/999": 404,
    "/view/nothing": 404,
    "/?since=9999-12-31T23:59:59Z&tz=Pacific/Kiritimati": 400,
    "/view/tweets?since=0001-01-01T00:00:00Z&tz=America/New_York": 400,
    "/?" + "&".join(f"tag=t{number}" for number in range(11)): 400,
    "/view/tags/nobody": 404,
    "/view/authors/nobody": 404,
    "/view/figures/nobody.csv": 404,
    "/?min_followers=many": 400,
    "/?colour=red": 400,
    "/view/tweets?cursor=none": 400,
    "/view/tweets?since=soon": 400,
    "/view/tags/devops?tz=Mars": 400,
    "/view/collections?tag=sre": 400,
    "/view/collections/1?cursor=x": 400,
}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
REFUSED = re.compile(r"complains: Failed to load resource: the server responded with a status of 4\d\d")
WAYS: dict[int, tuple[Literal["light", "dark"], ...]] = {360: ("light", "dark"), 1280: ("dark", "light")}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Server]:
    """The service, once it has collected."""
    folder = tmp_path_factory.mktemp("views")
    with serving(folder, **environment(folder, pretend_x)) as server:
        assert server.request("POST", "/database").status_code == 200
        yield server


@pytest.fixture(scope="module")
def author(service: Server) -> str:
    name: str = service.get("/authors?limit=1").json()["authors"][0]["username"]
    return name


def faults(page: Page, url: str) -> list[str]:
    """Return what is wrong with a page at each width, in light and in dark.

    Who can't use it is asked once a width and once a scheme: what is where goes by the width, what is seen by the scheme.
    """
    found = []
    for width, schemes in WAYS.items():
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(url)
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            found += [f"{width} px, {scheme}: {fault}" for fault in untidy(page)]
        found += [f"{width} px, {scheme}: {fault}" for fault in accessibility(page)]
    return found


@needs_chromium
@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_tidy_and_usable_by_everybody(service: Server, chromium: Browser, author: str, path: str) -> None:
    with tab(chromium) as page:
        assert faults(page, service.url + path.format(author=author)) == []
        assert origins(page) == {service.url}


@needs_chromium
@pytest.mark.parametrize("path", ["/view/collections/999", "/?min_followers=many"])
def test_an_error_is_a_page_like_the_others(service: Server, chromium: Browser, path: str) -> None:
    """Browsers themselves complain of a status that is an error; of nothing else."""
    with tab(chromium) as page:
        assert [fault for fault in faults(page, service.url + path) if not REFUSED.search(fault)] == []
        assert page.get_by_role("heading", level=1).count() == 1
        assert page.get_by_role("link", name="Overview").count() == 1


@needs_chromium
@pytest.mark.parametrize("path", PATHS)
def test_without_scripts_a_page_says_the_same(service: Server, chromium: Browser, author: str, path: str) -> None:
    url = service.url + path.format(author=author)
    with tab(chromium) as page:
        page.goto(url)
        said = shown(page)
    with tab(chromium, java_script_enabled=False, viewport={"width": 360, "height": 800}) as page:
        page.goto(url)
        assert shown(page) == said
        assert untidy(page) == []
        assert said["h1"]


@needs_chromium
def test_a_planted_fault_is_noticed(service: Server, chromium: Browser) -> None:
    with tab(chromium) as page:
        page.route("**/static/page.css", lambda route: route.fulfill(body="main { width: 700px } h1 { color: #eee }"))
        found = faults(page, f"{service.url}/view/tags")
        assert any(re.match(r"360 px, dark: wider than its window", fault) for fault in found)
        assert any(re.match(r"1280 px, light: color-contrast .* h1", fault) for fault in found)


@pytest.mark.parametrize(("path", "status"), PROBLEMS.items())
def test_a_browser_gets_an_error_as_a_page_and_a_program_as_a_problem(service: Server, path: str, status: int) -> None:
    person, program = service.get(path, headers=BROWSER), service.get(path, headers={"Accept": "*/*"})
    assert (person.status_code, program.status_code) == (status, status)
    assert person.headers["Content-Type"] == "text/html; charset=utf-8"
    assert person.headers["Content-Security-Policy"] == service.get("/").headers["Content-Security-Policy"]
    assert program.headers["Content-Type"] == "application/problem+json"
    assert program.json()["status"] == status
    assert "<h1>" in person.text
    assert person.headers["X-Request-Id"] in person.text


@pytest.mark.parametrize("path", ["/nothing", "/tweets?colour=red"])
def test_what_is_no_page_answers_browsers_with_a_problem_too(service: Server, path: str) -> None:
    assert service.get(path, headers=BROWSER).headers["Content-Type"] == "application/problem+json"


def test_a_page_s_policy_allows_its_own_origin_only(service: Server, author: str) -> None:
    for path in PATHS:
        policy = service.get(path.format(author=author)).headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert not re.search(r"unsafe|https?:|\*", policy)
