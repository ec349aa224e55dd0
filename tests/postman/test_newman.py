"""newman runs the collection with its scripts against the service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import pytest

from collector.collection import Collection
from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import listening
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until
from tests.postman.collection import COLLECTION, calls, document

NEWMAN = shutil.which("newman")
LONGEST_RUN_S = 120

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(NEWMAN is None, reason="newman is missing: npm install -g newman"),
]


class Sent(NamedTuple):
    """A request as newman sent it, and the tests that ran on its answer: None, or what failed."""

    name: str
    host: str
    path: str
    authorization: str | None
    tests: dict[str, str | None]


class Newman:
    """A run of newman: its report and what it prints are files in `folder`."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process, self._folder = process, folder

    def code(self) -> int:
        """Wait for the end and return the exit code: 0 if every test passed."""
        return self._process.wait(LONGEST_RUN_S)

    def printed(self) -> str:
        return (self._folder / "newman.txt").read_text(encoding="utf-8")

    def sent(self) -> list[Sent]:
        """Return the requests in the order in which they were sent."""
        report = json.loads((self._folder / "newman.json").read_text(encoding="utf-8"))
        return [_sent(execution) for execution in report["run"]["executions"]]


def _sent(execution: dict[str, Any]) -> Sent:
    request = execution["request"]
    url = request["url"]
    headers = {header["key"].lower(): header["value"] for header in request["header"]}
    tests = {test["assertion"]: test.get("error", {}).get("message") for test in execution["assertions"]}
    host = f"{url['protocol']}://{'.'.join(url['host'])}:{url['port']}"
    return Sent(execution["item"]["name"], host, "/" + "/".join(url["path"]), headers.get("authorization"), tests)


@contextmanager
def newman(url: str, folder: Path, *more: str) -> Iterator[Newman]:
    """Run the collection against the service at this address; it is over when the block ends."""
    command = [str(NEWMAN), "run", str(COLLECTION), "--env-var", f"baseUrl={url}", "--color", "off"]
    command += ["--reporters", "cli,json", "--reporter-json-export", str(folder / "newman.json"), *more]
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with (
        (folder / "newman.txt").open("wb") as output,
        subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=output) as process,
    ):
        try:
            yield Newman(process, folder)
        finally:
            process.kill()


def test_every_test_of_the_collection_runs_and_passes(tmp_path: Path, emulator: Emulator) -> None:
    with listening(tmp_path, **environment(tmp_path, emulator)) as service, newman(service.url, tmp_path) as run:
        assert run.code() == 0, run.printed()
    sent, expected = run.sent(), calls(document())
    assert [request.name for request in sent] == [call.name for call in expected]
    assert [call.tests - request.tests.keys() for call, request in zip(expected, sent, strict=True)] == [set()] * len(sent)
    assert {request.host for request in sent} == {service.url}
    assert {request.authorization for request in sent} == {None}


def test_a_run_waits_for_the_first_collection_and_sends_the_token(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    readied, collect = Event(), Collection.run

    def held(*collection: Any, **more: Any) -> None:
        readied.wait(LONGEST_WAIT_S)
        collect(*collection, **more)

    monkeypatch.setattr(Collection, "run", held)
    settings = environment(tmp_path, emulator) | {"API_TOKEN": "let-me-in"}
    folders = ("--folder", "Service", "--folder", "Database", "--folder", "Collections")
    with listening(tmp_path, **settings) as service:
        service.collector.start_first()
        with newman(service.url, tmp_path, "--env-var", "token=let-me-in", *folders) as run:
            wait_until(lambda: '"/readyz"' in service.log.read_text())
            readied.set()
            assert run.code() == 0, run.printed()
    sent = run.sent()
    assert [request.name for request in sent].count("Ready") > 1
    assert {request.authorization for request in sent} == {"Bearer let-me-in"}
    assert sent[-1].path == "/collections/2"


@pytest.mark.slow
def test_a_service_that_answers_otherwise_fails_the_run(tmp_path: Path, emulator: Emulator) -> None:
    with newman(emulator.url, tmp_path, "--folder", "Service") as run:
        assert run.code() == 1
    failed = {(request.name, test) for request in run.sent() for test, error in request.tests.items() if error}
    assert failed >= {("Page", "answers 200"), ("Alive", "answers 200"), ("Ready", "answers 200")}
