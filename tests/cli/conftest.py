"""The command line: in this process for speed, and as `flask --app app` for what only a process shows."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from flask import Flask
from tqdm import tqdm

from alchemy import Database
from app import create_app
from collector.runs.collector import Collector, RunningCollection
from emulator import Emulator
from settings import load
from tests.fixtures import databases
from tests.fixtures.archives import FIXTURES, Archive, Json
from tests.fixtures.environment import ROOT
from tests.fixtures.waiting import LONGEST_WAIT_S

TAGS = "#devops,#sre,#Observability"
NOBODY = "http://127.0.0.1:9"
PAGE = 4096
NOON = datetime(2026, 3, 16, 12, tzinfo=UTC)
"""An instant in the middle of a month, and later than the tweets of the fixtures."""
tqdm.monitor_interval = 0  # the thread that watches progress bars would outlive its test


class Ended(NamedTuple):
    """How a command ended, and the lines that it wrote; log lines on stderr are left out."""

    code: int
    out: list[str]
    err: list[str]


class Program:
    """The program over a database file of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.file = folder / "tweets.db"
        self.url = databases.url_of(folder)
        self.environment = {
            "DATABASE_URL": self.url,
            "DATA_FOLDER": str(folder),
            "TWITTER_API_URL": NOBODY,
            "TAGS": TAGS,
        } | settings
        self.app: Flask = create_app(load(self.environment, folder=folder))
        self.collector: Collector = self.app.extensions["collector"]

    def run(self, *arguments: str | Path) -> Ended:
        """Run a command in this process, whose objects it leaves to the garbage collector as they are."""
        with patch("cli.tweets._freeze_garbage_collector", nullcontext):
            result = self.app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout.splitlines(), _said(result.stderr))

    def command(self, *arguments: str | Path) -> dict[str, Any]:
        """Return what subprocess needs to run a command in a process of its own."""
        command = [sys.executable, "-m", "flask", "--app", "app", *map(str, arguments)]
        return {"args": command, "cwd": ROOT, "env": {"PATH": os.environ["PATH"], **self.environment}}

    def process(self, *arguments: str | Path) -> Ended:
        """Run a command in a process of its own."""
        done = subprocess.run(**self.command(*arguments), capture_output=True, text=True, timeout=60, check=False)
        return Ended(done.returncode, done.stdout.splitlines(), _said(done.stderr))

    def imported(self, *arguments: str | Path) -> str:
        """Import without a refusal, and return the line of counts."""
        ended = self.run("tweets", "import", *arguments)
        assert (ended.code, ended.out, len(ended.err)) == (0, [], 1), ended
        return ended.err[0]

    def get(self, path: str) -> Any:
        answer = self.app.test_client().get(path)
        assert answer.status_code == 200, answer.data
        return json.loads(answer.data)

    def drop(self) -> str:
        answer = self.app.test_client().delete("/database")
        assert answer.status_code == 200, answer.data
        return str(json.loads(answer.data)["backup"])

    def tweets(self) -> list[Json]:
        """Return all tweets as the API gives them; the database is migrated first."""
        self.collector.prepare()
        rows: list[Json] = self.get("/tweets")["tweets"]
        return rows

    def tweet(self) -> Json:
        """Return the only tweet."""
        (only,) = self.tweets()
        return only


def _said(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if not line.startswith('{"@timestamp"')]


@pytest.fixture
def emulator(emulator: Emulator) -> Emulator:
    """A pretend X whose clock stands, so that its tweets are the same whenever a test runs."""
    emulator.clock.hold(NOON)
    return emulator


MakeProgram = Callable[..., Program]


@pytest.fixture
def make_program(tmp_path: Path, database_backend: str) -> Iterator[MakeProgram]:
    """Make programs in folders of their own, with more settings by name."""
    made: list[Program] = []

    def make(name: str = "program", **settings: str) -> Program:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        made.append(Program(folder, **settings))
        return made[-1]

    yield make
    for program in made:
        program.collector.close()


@pytest.fixture
def program(make_program: MakeProgram) -> Program:
    return make_program()


@pytest.fixture
def nothing(program: Program) -> Program:
    """A program whose SQLite file is not there yet."""
    program.file.unlink()
    return program


@pytest.fixture
def filled(program: Program) -> Program:
    """A program with three tweets."""
    program.imported(FIXTURES / "twarc-pages.jsonl")
    return program


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


@contextmanager
def paused(collector: Collector) -> Iterator[RunningCollection]:
    """Let a collection stand still once it has stored a page until the block ends, and then go on to its end."""
    stored, go_on = Event(), Event()

    def wait(_said: logging.LogRecord) -> bool:
        stored.set()
        return go_on.wait(LONGEST_WAIT_S)

    reading = logging.getLogger("collector.runs.reading")
    reading.addFilter(wait)
    try:
        started = collector.start()
        assert stored.wait(LONGEST_WAIT_S)
        yield started
        assert not started.over.done()
    finally:
        go_on.set()
        started.over.result(LONGEST_WAIT_S)
        reading.removeFilter(wait)


QUERIES = {
    "tweets": """SELECT t.id, version, text, created, t.lang, country, country_code, author_id, key
        FROM tweets t LEFT JOIN tags ON tags.id = rash_id""",
    "tweet_tags": "SELECT tweet_id, key FROM tweet_tags JOIN tags ON tags.id = tag_id",
    "versions": "SELECT id, tweet_id FROM versions",
    "authors": "SELECT id, username, name, followers, observed, tweets FROM authors",
    "payloads": "SELECT id, tweet_id, retrieved, body FROM payloads",
    "author_payloads": "SELECT author_id, retrieved, body FROM author_payloads",
    "quarters": "SELECT start, tweets FROM quarters",
    "presences": "SELECT start, quarters, authors FROM presences",
    "tag_langs": "SELECT key, tag_langs.lang, tweets FROM tag_langs JOIN tags ON tags.id = tag_id",
    "tag_hours": "SELECT key, start, tweets FROM tag_hours JOIN tags ON tags.id = tag_id",
    "facet_hours": "SELECT facet, start, value, tweets FROM facet_hours",
}
Contents = dict[str, list[tuple[Any, ...]]]


def contents(program: Program) -> Contents:
    """Return what is stored, table by table; runs and times of runs are left out, and tags are named."""
    return {table: sorted(databases.asked(program.url, query), key=repr) for table, query in QUERIES.items()}


def asked(file: Path, statement: str) -> list[tuple[Any, ...]]:
    """Ask a SQLite file without the program."""
    return databases.asked(f"sqlite:///{file}", statement)


def rewrite(database: Database, content: bytes) -> None:
    """Close a SQLite database and give its file this content; what the database has compiled stays."""
    database.close()
    file = Path(str(database.url.database))
    for beside in file.parent.glob(f"{file.name}-*"):
        beside.unlink()
    file.write_bytes(content)


def damage(file: Path) -> None:
    """Overwrite the head of every page but the first."""
    content = bytearray(file.read_bytes())
    for offset in range(PAGE, len(content), PAGE):
        content[offset : offset + 512] = b"\xff" * 512
    file.write_bytes(content)
