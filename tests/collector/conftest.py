"""What the collector's tests share: a world that stands still at noon, collectors as processes open them, and a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import api
from alchemy import Database
from collector import collection
from collector.collector import Collector
from collector.x import clock
from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.environment import MakeSettings, environment

NOON = datetime(2026, 11, 24, 12, 20, tzinfo=UTC)
MODULES: tuple[ModuleType, ...] = (api, clock, collection)
"""Where this machine's time is asked for as X's is not known yet."""

PATIENT = {"X_TIMEOUT": "20s"}
"""No machine is so slow that the emulator answers later."""

MakeCollector = Callable[..., Collector]


def set_machine(patch: pytest.MonkeyPatch, now: Callable[[], datetime]) -> None:
    """Let this machine's clock say what `now` returns."""

    class Now(datetime):
        @classmethod
        def now(cls, _tz: object = None) -> datetime:  # type: ignore[override]
            return now()

    for module in MODULES:
        patch.setattr(module, "datetime", Now)


@contextmanager
def standing(*, tweets: int = 20_000) -> Iterator[Emulator]:
    """Hold X's clock, and this machine's beside it, at noon: the emulator's world is a function of the time."""
    with Emulator(tweets=tweets, now=NOON, archive_pace=0) as running, pytest.MonkeyPatch.context() as patch:
        set_machine(patch, running.clock.now)
        yield running


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
    with closing(Database(databases.url_of(tmp_path))) as ready:
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
