"""What the tests of pages share: a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.fixtures.browser import browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser to which localhost and all names that end in .test mean this machine."""
    with browser("localhost", "*.test") as running:
        yield running
