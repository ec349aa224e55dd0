"""What the collector's tests share: a world that stands still at noon, collectors as processes open them, and a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

import api
from alchemy import Database, open_database
from collector.runs.collector import Collector
from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.clocks import standing
from tests.fixtures.environment import MakeSettings, environment

PATIENT = {"X_TIMEOUT": "20s"}
"""No machine is so slow that the emulator answers later."""

MakeCollector = Callable[..., Collector]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pretend X whose clock stands."""
    with standing() as running:
        yield running


@pytest.fixture
def make_collector(make_settings: MakeSettings) -> Iterator[MakeCollector]:
    """Open collectors over the test's database, each as a new process would: it knows nothing else; settings by name."""
    with ExitStack() as made:

        def make(**more: str) -> Collector:
            one = api.collector_for(make_settings(**PATIENT | more))
            made.callback(one.close)
            one.prepare()
            return one

        yield make


@pytest.fixture
def collector(make_collector: MakeCollector) -> Collector:
    """A collector over three tags."""
    return make_collector()


@pytest.fixture
def database(tmp_path: Path, database_backend: str) -> Iterator[Database]:
    """A migrated database without rows."""
    with closing(open_database(databases.url_of(tmp_path))) as ready:
        yield ready


RunApi = Callable[..., int]


@pytest.fixture
def run_api(tmp_path: Path, emulator: Emulator, database_backend: str, monkeypatch: pytest.MonkeyPatch) -> RunApi:
    """Run `python api.py` in this process, with settings by name, and return its exit code."""

    def run(*arguments: str, **more: str) -> int:
        for name, value in (environment(tmp_path, emulator) | PATIENT | more).items():
            monkeypatch.setenv(name, value)
        return api.main(arguments)

    return run


def asked(emulator: Emulator, path: str | None = None) -> list[dict[str, Any]]:
    """Return the parameters of what X was asked, at one path or at all."""
    return [dict(request.params) for request in emulator.requests if path in (None, request.path)]


def rows(database: Database, query: Any) -> list[Any]:
    """Return the rows that a query finds."""
    with database.reading() as session:
        return list(session.execute(query))
