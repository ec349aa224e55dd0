"""The command line: in this process for speed, and as `flask --app app` for what only a process shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask

from app import create_app
from collector.collector import Collector
from settings import load
from tests.fixtures import databases
from tests.fixtures.archives import Json
from tests.fixtures.environment import ROOT

TAGS = "#devops,#sre,#Observability"
NOBODY = "http://127.0.0.1:9"


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
        """Run a command in this process."""
        result = self.app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout.splitlines(), _said(result.stderr))

    def process(self, *arguments: str | Path) -> Ended:
        """Run a command in a process of its own."""
        command = [sys.executable, "-m", "flask", "--app", "app", *map(str, arguments)]
        variables = {"PATH": os.environ["PATH"], **self.environment}
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False)
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
