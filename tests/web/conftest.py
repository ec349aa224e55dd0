"""What the tests of pages share: a browser, and a pretend X."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from emulator import Emulator
from tests.fixtures import leaks
from tests.fixtures.browser import CHROMIUM, MISSING, browser
from tests.fixtures.views import NOW


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser to which localhost and all names that end in .test mean this machine; skips where there is none."""
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with browser("localhost", "*.test") as running:
        leaks.keep()
        yield running


@pytest.fixture(scope="module")
def pretend_x() -> Iterator[Emulator]:
    """A small pretend X for all tests of a module, whose clock stands."""
    with Emulator(tweets=2_000, now=NOW) as running:
        yield running
