"""What tests of the API share: an X that has nothing new."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from emulator import Emulator

QUIET = datetime(2025, 12, 31, 7, 10, tzinfo=UTC)  # in the emulator's world, minutes after the last tweet of the tests' tags


@pytest.fixture(scope="module")
def x() -> Iterator[Emulator]:
    """An emulator whose clock stands still at a quiet time, so that X has nothing new."""
    with Emulator() as emulator:
        emulator.clock.hold(QUIET)
        yield emulator
