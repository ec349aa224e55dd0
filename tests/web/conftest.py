"""What the tests of pages share: a browser, and a pretend X."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from emulator import Emulator
from tests.fixtures.browser import browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser to which localhost and all names that end in .test mean this machine."""
    with browser("localhost", "*.test") as running:
        yield running


@pytest.fixture(scope="module")
def pretend_x() -> Iterator[Emulator]:
    """A small pretend X for all tests of a module."""
    with Emulator(tweets=2_000) as running:
        yield running
