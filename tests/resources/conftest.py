"""What tests of the API share: services, an X that has nothing new, what all problems have in common, and imports."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from alchemy import Database
from collector.imports import Import
from collector.runs.collection import Collection
from emulator import Emulator
from schemas.records import record
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
from tests.fixtures.waiting import LONGEST_WAIT_S

Json = dict[str, Any]
Start = Callable[..., AbstractContextManager[Service]]
QUIET = datetime(2025, 12, 31, 7, 10, tzinfo=UTC)  # in the emulator's world, minutes after the last tweet of the tests' tags
KEYS = {"type", "title", "status", "detail", "instance", "request_id", "message"}
SECRET_WORDS = ("Traceback", "SELECT", "sqlite", "psycopg", "/work", ".py")


@pytest.fixture(scope="module")
def x() -> Iterator[Emulator]:
    """An emulator whose clock stands still at a quiet time, so that X has nothing new."""
    with Emulator() as emulator:
        emulator.clock.hold(QUIET)
        yield emulator


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Path:
    """The folder of the module's database."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def shared(folder: Path, x: Emulator) -> Start:
    """Start the service that a module's tests share, with more settings by name."""
    return lambda **more: in_process(folder, **environment(folder, x) | more)


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    """The service that a module's tests share, empty unless the module fills it."""
    with shared() as running:
        yield running


@pytest.fixture
def start(tmp_path: Path, emulator: Emulator, database_backend: str) -> Start:
    """Start services over a database and an X that a test has to itself, with more settings by name."""
    return lambda **more: in_process(tmp_path, **environment(tmp_path, emulator) | more)


@pytest.fixture
def fresh(start: Start) -> Iterator[Service]:
    """A service that a test has to itself, which collects few tweets."""
    with start(TW_NUMBER="30") as running:
        yield running


@pytest.fixture
def gate(fresh: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Collections of the fresh service begin, but do nothing until this is set."""
    opened, run = threading.Event(), Collection.run

    def held(*collection: Any, **more: Any) -> None:
        opened.wait(LONGEST_WAIT_S)
        run(*collection, **more)

    monkeypatch.setattr(Collection, "run", held)
    yield opened
    opened.set()


def given(service: Service, path: str, **parameters: Any) -> Any:
    """Return the body of an answer that is 200."""
    answer = service.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def problem(answer: requests.Response, status: int) -> Json:
    """Check what all problems have in common, and return the body."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: Json = answer.json()
    assert body.keys() >= KEYS
    assert body["status"] == status
    assert body["message"] == body["detail"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert not any(word in answer.text for word in SECRET_WORDS)
    return body


def imported(database: Database, *objects: object) -> tuple[int, int]:
    """Import as `tweets import` does, without a refusal, and return how many tweets were read and how many added."""
    run = Import(database)
    for one in objects:
        read = record(json.dumps(one).encode())
        assert not read.refused
        run.add(read.tweets, read.authors)
    run.end()
    return run.seen, run.added
