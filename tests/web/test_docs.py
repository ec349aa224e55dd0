"""/docs in a real browser: complete without anybody else, under a strict policy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.fixtures.browser import origins, seen, tab, untidy
from tests.fixtures.environment import ROOT
from tests.fixtures.service import Service, listening

VENDOR = ROOT / "web" / "static" / "vendor"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service over an empty database, collecting nothing."""
    folder = tmp_path_factory.mktemp("docs")
    with listening(folder, DATABASE_URL=f"sqlite:///{folder / 'tweets.db'}", COLLECT_ON_START="0") as server:
        yield server


def test_its_policy_allows_its_own_origin_only(service: Service) -> None:
    policy = service.get("/docs").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*", policy)
    assert service.get("/docs").headers["Content-Type"] == "text/html; charset=utf-8"


def test_what_it_loads_has_the_right_types_and_is_kept_where_it_never_changes(service: Service) -> None:
    loaded = re.findall(r'(?:src|href)="(static/[^"]+)"', service.get("/docs").text)
    answers = {path: service.get(f"/{path}") for path in loaded}
    assert {path.rpartition("/")[2]: answer.headers["Content-Type"] for path, answer in answers.items()} == {
        "swagger-ui.css": "text/css; charset=utf-8",
        "docs.css": "text/css; charset=utf-8",
        "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
        "docs.js": "text/javascript; charset=utf-8",
    }
    for path, answer in answers.items():
        assert answer.status_code == 200
        assert ("immutable" in answer.headers["Cache-Control"]) == ("vendor/" in path)
        assert service.get(f"/{path}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("path", ["../docs.py", "%2e%2e/docs.py", "vendor", "nothing.js"])
def test_nothing_else_is_served(service: Service, path: str) -> None:
    assert service.get(f"/static/{path}").status_code == 404


@pytest.mark.browser
def test_it_shows_every_operation_tries_one_out_and_asks_nobody_else(service: Service, chromium: Browser) -> None:
    paths = service.get("/openapi.json").json()["paths"]
    with tab(chromium, viewport={"width": 1280, "height": 1600}) as page:
        page.goto(f"{service.url}/docs")
        expect(page.locator(".opblock")).to_have_count(sum(len(methods) for methods in paths.values()))
        operation = page.locator("#operations-health-getLivez")
        operation.get_by_role("button").first.click()
        operation.get_by_role("button", name="Execute").click()
        expect(operation.locator(".live-responses-table")).to_contain_text("alive")
        assert {f"{service.url}/openapi.json", f"{service.url}/livez"} <= set(seen(page).requests)
        assert origins(page) == {service.url}
        assert untidy(page) == []


def recorded(folder: Path) -> dict[str, str]:
    """Return the checksum of each vendored file, as recorded."""
    lines = [line.split() for line in (folder / "SHA256SUMS").read_text().splitlines() if not line.startswith("#")]
    return {name: checksum for checksum, name in lines}


def found(folder: Path) -> dict[str, str]:
    files = [file for file in folder.iterdir() if file.name != "SHA256SUMS"]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def vendored() -> list[Path]:
    return [file.parent for file in VENDOR.rglob("SHA256SUMS")]


@pytest.mark.parametrize("folder", vendored(), ids=lambda folder: str(folder.relative_to(VENDOR)))
def test_vendored_files_are_those_that_were_recorded(folder: Path) -> None:
    assert found(folder) == recorded(folder)
    assert folder.name in (folder / "SHA256SUMS").read_text().splitlines()[0]
    assert "LICENSE" in recorded(folder)


def test_every_vendored_file_is_recorded() -> None:
    assert {file.parent for file in VENDOR.rglob("*") if file.is_file()} == set(vendored()) != set()
