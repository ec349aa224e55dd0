"""What all tests share: which of them run, on which database backend, what none may leave open, an X and a collector."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from api import collector_for
from collector.runs.collector import Collector
from emulator import Emulator
from settings import Settings, load
from tests.fixtures import databases, leaks, x_answers
from tests.fixtures.environment import MakeSettings, environment
from tests.fixtures.loggers import logging_restored
from tests.fixtures.processes import Server, serving
from tests.fixtures.service import Service, in_process

LEFT_OUT = ("slow", "ha", "proof")
tqdm.monitor_interval = 0  # else the first progress bar starts a thread that stays


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only `make torture`, `make torture-ha` or `make stack-proof` runs, which name its mark."""
    left = [mark for mark in LEFT_OUT if mark not in str(config.option.markexpr).split()]
    out = [item for item in items if any(item.get_closest_marker(mark) for mark in left)]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def pytest_collection_finish() -> None:
    """What is imported by now stays: looking for what a test left behind needn't look at it."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """Where nothing may be skipped, a skipped test has failed."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("NOTHING_SKIPPED"):
        report.outcome = "failed"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with a database on SQLite, on PostgreSQL if it is marked `postgresql`, on each if it is marked `dialects`."""
    if "database_backend" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker
        postgresql = pytest.param("postgresql", marks=pytest.mark.postgresql)
        both = ["sqlite", postgresql]
        chosen = both if marked("dialects") else both[1:] if marked("postgresql") else both[:1]
        metafunc.parametrize("database_backend", chosen, indirect=True, scope="module")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let `databases.current` be the backend of the test that begins, SQLite where it names none."""
    chosen = getattr(item, "callspec", None)
    databases.current = chosen.params.get("database_backend", "sqlite") if chosen else "sqlite"


@pytest.fixture(scope="session", autouse=True)
def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tell where the processes of this run find what they share, and which one started them."""
    databases.shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        databases.shared, databases.run_pid = databases.shared.parent, os.getppid()


@pytest.fixture(scope="module", autouse=True)
def _causes() -> Iterator[dict[str, str]]:
    """Fail where a test left a thread, a process, a file or a socket open, and name the test."""
    causes: dict[str, str] = {}
    before = leaks.left_open()
    yield causes
    gc.collect()
    left = leaks.still_open(before)
    assert not left, "\n".join(f"{causes.get(one, 'a fixture of the module')} left open: {one}" for one in sorted(left))


@pytest.fixture(autouse=True)
def _watched(request: pytest.FixtureRequest, _causes: dict[str, str]) -> Iterator[None]:
    """Note what was opened in a test, and put logging back: a handler on a closed stream would fail in the next test."""
    before = leaks.left_open()
    with logging_restored():
        yield
    for one in leaks.left_open() - before:
        _causes.setdefault(one, request.node.nodeid)


@pytest.fixture(scope="session", autouse=True)
def _every_answer() -> Iterator[None]:
    """Hold what every emulator in this process answers to the schema of X's answers."""
    with x_answers.watching():
        yield


@pytest.fixture(autouse=True)
def _as_x_answers() -> Iterator[None]:
    """Fail where an emulator answered what X would not."""
    x_answers.unlike.clear()
    yield
    assert x_answers.unlike == []


@pytest.fixture(scope="module")
def database_backend(request: pytest.FixtureRequest) -> str:
    """The backend that this test's databases are of; `databases.url_of` and `environment` go by it."""
    if request.param == "postgresql":
        databases.cluster()
    return str(request.param)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pretend X on a free port."""
    with Emulator() as running:
        yield running


@pytest.fixture
def make_settings(tmp_path: Path, emulator: Emulator, database_backend: str) -> MakeSettings:
    """Settings of a database of the test's own and the emulator as X; more by name."""

    def make(**more: str) -> Settings:
        return load(environment(tmp_path, emulator) | more, folder=tmp_path)

    return make


@pytest.fixture
def collector(make_settings: MakeSettings) -> Iterator[Collector]:
    """A collector over three tags, its database migrated."""
    with closing(collector_for(make_settings())) as ready:
        ready.prepare()
        yield ready


@pytest.fixture
def service(tmp_path: Path, emulator: Emulator, database_backend: str) -> Iterator[Service]:
    """The service in this process, over the test's own database and emulator."""
    with in_process(tmp_path, **environment(tmp_path, emulator)) as running:
        yield running


@pytest.fixture
def server(tmp_path: Path, emulator: Emulator, database_backend: str) -> Iterator[Server]:
    """The service in a process of its own, on a free port, over the test's own database and emulator."""
    with serving(tmp_path, **environment(tmp_path, emulator)) as running:
        yield running
