"""What a page weighs: everything that the overview loads is small, compressed and kept."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from emulator import Emulator
from tests.fixtures.browser import needs_chromium, seen, tab
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving

MOST = 120_000
PACKED = {"Accept-Encoding": "gzip"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("budget")
    with serving(folder, **environment(folder, pretend_x)) as server:
        assert server.request("POST", "/database").status_code == 200
        yield server


def weight(service: Server, url: str, **headers: str) -> int:
    """Return how many bytes come over the wire for a body."""
    answer = service.get(url.removeprefix(service.url), headers=headers or PACKED, stream=True)
    assert answer.status_code == 200, url
    return len(answer.raw.read(decode_content=False))


@needs_chromium
@pytest.mark.parametrize("path", ["/", "/view/tweets", "/view/tags/devops", "/view/collections/new", "/view/health"])
def test_all_that_a_page_loads_is_within_the_budget(service: Server, chromium: Browser, path: str) -> None:
    with tab(chromium) as page:
        page.goto(service.url + path, wait_until="networkidle")
        loaded = {url: weight(service, url) for url in set(seen(page).requests)}
    assert any(url.endswith(".css") for url in loaded)
    assert sum(loaded.values()) <= MOST, loaded


def test_without_compression_it_would_not_be(service: Server) -> None:
    page = service.get("/").text
    paths = ["/", *re.findall(r'(?:src|href)="(/static/[^"]+)"', page)]
    plain = {path: weight(service, path, **{"Accept-Encoding": "identity"}) for path in paths}
    assert sum(plain.values()) > MOST
    assert sum(weight(service, path) for path in paths) < sum(plain.values()) / 3


def test_what_pages_load_is_packed_and_kept(service: Server) -> None:
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', service.get("/").text):
        packed, plain = (
            service.get(path, headers=PACKED, stream=True),
            service.get(path, headers={"Accept-Encoding": "identity"}),
        )
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.raw.read(decode_content=False)) == plain.content
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert packed.headers["Cache-Control"].startswith("public")
        again = service.get(path, headers=PACKED | {"If-None-Match": packed.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_page_that_has_not_changed_is_not_sent_again(service: Server) -> None:
    first = service.get("/view/tags", headers=PACKED)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert service.get("/view/tags", headers=PACKED | {"If-None-Match": first.headers["ETag"]}).status_code == 304
    service.request("PUT", "/tags/new")
    assert service.get("/view/tags", headers=PACKED | {"If-None-Match": first.headers["ETag"]}).status_code == 200
