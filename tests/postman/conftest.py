"""A service with the destination that the collection's requests name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.receiver import receiving
from tests.fixtures.service import Service, in_process
from tests.postman.collection import variables


@pytest.fixture
def settings(tmp_path: Path, emulator: Emulator) -> Iterator[dict[str, str]]:
    """The settings of a service whose destination is there."""
    with receiving() as receiver:
        yield environment(tmp_path, emulator) | {"NOTIFY_URLS": f"{variables()['destination']}={receiver.url()}"}


@pytest.fixture
def service(tmp_path: Path, settings: dict[str, str]) -> Iterator[Service]:
    with in_process(tmp_path, **settings) as running:
        yield running
