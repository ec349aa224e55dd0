"""A service with the destination that the collection's requests name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
from tests.postman.collection import variables

NOTIFY = {"NOTIFY_URLS": f"{variables()['destination']}=json://127.0.0.1:9/"}


@pytest.fixture
def service(tmp_path: Path, emulator: Emulator) -> Iterator[Service]:
    with in_process(tmp_path, **environment(tmp_path, emulator) | NOTIFY) as running:
        yield running
