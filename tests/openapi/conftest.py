"""What tests of the document share: a service with the emulator's tweets of a quiet time, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.receiver import receiving
from tests.fixtures.service import Service, in_process
from tests.openapi.contract import Contract
from tests.resources.conftest import QUIET


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service after one collection."""
    folder = tmp_path_factory.mktemp("service")
    with Emulator() as emulator, receiving() as receiver:
        emulator.clock.hold(QUIET)
        own = environment(folder, emulator) | {"NOTIFY_URLS": f"team={receiver.url()}"}  # the example of a watch names it
        with in_process(folder, **own) as running:
            assert running.get("/database").status_code == 200
            yield running


@pytest.fixture(scope="module")
def contract(service: Service) -> Contract:
    return Contract(service.get("/openapi.json").json())
