"""Served emulators whose clocks stand still."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from emulator import Emulator
from tests.emulator.client import NOON, Client, Json
from tests.fixtures import leaks


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(seed=1, now=NOON) as running:
        yield running


@pytest.fixture
def client(emulator: Emulator) -> Client:
    return Client(emulator.port)


@pytest.fixture(scope="session")
def shared() -> Iterator[Emulator]:
    """One for tests that only read; its limits are wide and its clock stands still."""
    limits: dict[str, Any] = {f"{of}_limit": 10**6 for of in ("bearer", "counts", "archive", "usage", "compliance")}
    with Emulator(seed=1, now=NOON, archive_pace=0, **limits) as running:
        leaks.keep()
        yield running


@pytest.fixture(scope="session")
def reader(shared: Emulator) -> Client:
    return Client(shared.port)


@pytest.fixture(scope="session")
def devops(reader: Client) -> list[Json]:
    """Every tweet of #devops in the seven days before noon."""
    return reader.every("#devops")
