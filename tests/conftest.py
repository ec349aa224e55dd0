"""What tests share: the emulator, a database file, a collector, and the real server on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from api import collector_for
from collector.collector import Collector
from emulator import Emulator
from settings import Settings, load
from tests.fixtures import databases
from tests.fixtures.loggers import logging_restored

ROOT = Path(__file__).resolve().parent.parent
TAGS = "#devops,#sre,#Observability"
LONGEST_WAIT_S = 30
LEFT_OUT = ("slow", "ha")
ON_BOTH = {"collector", "commands", "engines", "models", "queries", "reliability", "resources", "sql"}
"""The rooms of what has to do with the database; what stands before it is tried on SQLite."""

MakeSettings = Callable[..., Settings]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only `make torture` or `make torture-ha` runs, which name its mark."""
    left = [mark for mark in LEFT_OUT if mark not in str(config.option.markexpr).split()]
    out = [item for item in items if any(item.get_closest_marker(mark) for mark in left)]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """Where nothing may be skipped, a skipped test has failed."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("NOTHING_SKIPPED"):
        report.outcome = "failed"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let each test of those rooms that has a database run on both programs, but those that are about the one only."""
    if "database_program" in metafunc.fixturenames:
        usual = databases.PROGRAMS if metafunc.definition.path.parent.name in ON_BOTH else databases.PROGRAMS[:1]
        only = [name for name in databases.PROGRAMS if metafunc.definition.get_closest_marker(name)]
        metafunc.parametrize("database_program", only or usual, indirect=True, scope="module")


@pytest.fixture(scope="module")
def database_program(request: pytest.FixtureRequest) -> Iterator[str]:
    """The program that this test's databases are of; `databases.url_of` and `environment` go by it."""
    if request.param == "postgresql":
        databases.cluster()
    databases.current = request.param
    yield databases.current
    databases.current = "sqlite"


def wait_until(condition: Callable[[], Any], *, seconds: float = LONGEST_WAIT_S) -> Any:
    """Return the condition's value as soon as it is true; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    pytest.fail("the condition did not come true in time")


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(autouse=True)
def _logging_restored() -> Iterator[None]:
    """No handler outlives its test: one on a closed stream would write tracebacks into the next test's stderr."""
    with logging_restored():
        yield


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pretend X on a free port."""
    with Emulator() as running:
        yield running


@pytest.fixture
def make_settings(tmp_path: Path, emulator: Emulator, database_program: str) -> MakeSettings:
    """Settings of a database file of the test's own and the emulator as X; more by name."""

    def make(**more: str) -> Settings:
        return load(environment(tmp_path, emulator) | more, folder=tmp_path)

    return make


@pytest.fixture
def collector(make_settings: MakeSettings) -> Iterator[Collector]:
    """A collector over three tags, its database migrated."""
    with closing(collector_for(make_settings())) as ready:
        ready.prepare()
        yield ready


def environment(folder: Path, emulator: Emulator) -> dict[str, str]:
    """The settings of a test: nothing is retried slowly, nothing starts by itself."""
    return {
        "DATABASE_URL": databases.url_of(folder),
        "DATA_FOLDER": str(folder),
        "TWITTER_API_URL": emulator.url,
        "TAGS": TAGS,
        "X_RETRY_WAIT": "0s",
        "X_RATE_LIMIT_WAIT": "0s",
        "X_TIMEOUT": "2s",
        "COLLECT_ON_START": "0",
        "COUNT_EVERY": "off",
        "RECONCILE_EVERY": "off",
        "COMPLY_EVERY": "off",
        "BACKUP_EVERY": "off",
    }


def let_lease_run_out(folder: Path) -> None:
    """Let a lease end at once whose holder has died."""
    databases.asked(databases.url_of(folder), "UPDATE leases SET expires = 0")


@dataclass
class Server:
    """`python app.py` in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        return requests.request(method, self.url + path, timeout=LONGEST_WAIT_S, **more)

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.request("GET", path, **more)

    @contextmanager
    def in_background(self, path: str) -> Iterator[Future[requests.Response]]:
        """Send a GET in a thread of its own."""
        with ThreadPoolExecutor(1) as pool:
            yield pool.submit(self.get, path)

    def until(self, condition: Callable[[], Any]) -> Any:
        return wait_until(condition)

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def stop(self) -> int:
        """End it as an operator would, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LONGEST_WAIT_S + 10)


@contextmanager
def serving(folder: Path, *, command: Sequence[str] = ("app.py",), **settings: str) -> Iterator[Server]:
    """Serve until the block ends, by app.py or another command of Python's; the log is a file in the folder."""
    port, log = free_port(), folder / "server.log"
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "PORT": str(port), **settings}
    with log.open("a") as output:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=variables, stdout=output, stderr=output, text=True)
    server = Server(process, f"http://127.0.0.1:{port}", log)
    try:
        wait_until(lambda: process.poll() is not None or _alive(server))
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        if process.poll() is None:
            server.stop()


def _alive(server: Server) -> bool:
    try:
        return server.get("/livez").ok
    except requests.ConnectionError:
        return False


@pytest.fixture
def server(tmp_path: Path, emulator: Emulator, database_program: str) -> Iterator[Server]:
    """The service on a free port, over the test's own database and emulator."""
    with serving(tmp_path, **environment(tmp_path, emulator)) as running:
        yield running
