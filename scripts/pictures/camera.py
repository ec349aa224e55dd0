"""A Chromium that takes the pictures: no animation, one pixel a pixel, the fonts that the machine has."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from scripts.pictures.catalogue import Picture

CHROMIUM = shutil.which("chromium")
PACKAGE = "chromium"
READY = "document.fonts.status === 'loaded' && [...document.images].every(image => image.complete)"
HEIGHT_OF_PAGE = "Math.ceil(document.documentElement.getBoundingClientRect().height)"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser that knows no machine but this one."""
    with sync_playwright() as playwright:
        rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        with closing(playwright.chromium.launch(executable_path=CHROMIUM, args=[rules])) as launched:
            yield launched


def take(running: Browser, picture: Picture, url: str, file: Path) -> None:
    """Open a URL, wait until what the picture shows is there, and write it."""
    first: ViewportSize = {"width": picture.width, "height": picture.height}
    with closing(running.new_context(viewport=first, color_scheme=picture.scheme, reduced_motion="reduce")) as tab:
        page = tab.new_page()
        page.goto(url)
        page.locator(picture.awaited).first.wait_for()
        page.wait_for_function(READY)
        _shoot(page, picture, file)


def _shoot(page: Page, picture: Picture, file: Path) -> None:
    """Write the picture, no higher than the page."""
    height = min(picture.height, page.evaluate(HEIGHT_OF_PAGE))
    page.set_viewport_size({"width": picture.width, "height": height})
    page.screenshot(path=file, animations="disabled", caret="hide")
