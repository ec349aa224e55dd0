"""/docs in a real browser: complete under a strict policy, without requests to other origins."""

from __future__ import annotations

import hashlib
import re

import pytest
from playwright.sync_api import Browser, expect

from tests.fixtures.browser import origins, seen, tab, untidy
from tests.fixtures.environment import ROOT
from tests.fixtures.service import Service

VENDOR = ROOT / "web" / "static" / "vendor"
TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


def test_it_loads_own_files_with_their_types_and_vendored_ones_are_immutable(
    service: Service,
) -> None:
    answer = service.get("/docs")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"unsafe|https?:|\*", policy)
    loaded = re.findall(r'(?:src|href)="(static/[^"]+\.(?:css|js))"', answer.text)
    assert len(loaded) == 4
    for path in loaded:
        file = service.get(f"/{path}")
        assert (file.status_code, file.headers["Content-Type"]) == (200, TYPES[path.rpartition(".")[2]])
        assert ("immutable" in file.headers["Cache-Control"]) == ("vendor/" in path)
        assert service.get(f"/{path}", headers={"If-None-Match": file.headers["ETag"]}).status_code == 304
    for path in ("../docs.py", "%2e%2e/docs.py", "vendor", "nothing.js"):
        assert service.get(f"/static/{path}").status_code == 404


@pytest.mark.browser
def test_it_shows_every_operation_and_tries_one_out_without_other_origins(service: Service, chromium: Browser) -> None:
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


def test_vendored_files_are_those_that_were_recorded() -> None:
    folders = {file.parent for file in VENDOR.rglob("*") if file.is_file()}
    assert folders
    for folder in folders:
        lines = (folder / "SHA256SUMS").read_text().splitlines()
        recorded = {name: checksum for checksum, name in (line.split() for line in lines if not line.startswith("#"))}
        files = [file for file in folder.iterdir() if file.name != "SHA256SUMS"]
        assert recorded == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        assert folder.name in lines[0]
        assert "LICENSE" in recorded
