"""newman runs the collection with its scripts against the service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import pytest

from collector.runs.collection import Collection
from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import listening
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until
from tests.postman.collection import COLLECTION, calls

NEWMAN = shutil.which("newman")
LONGEST_RUN_S = 120

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(NEWMAN is None, reason="newman is missing: npm install -g newman"),
]


class Sent(NamedTuple):
    """A request as newman sent it, and the names of the tests that ran on its answer."""

    name: str
    host: str
    path: str
    authorization: str | None
    tests: set[str]


def newman(url: str, folder: Path, *more: str) -> list[Sent]:
    """Run the collection, of which every test must pass, and return the requests in the order in which they were sent."""
    command = [str(NEWMAN), "run", str(COLLECTION), "--env-var", f"baseUrl={url}", "--color", "off"]
    command += ["--reporters", "cli,json", "--reporter-json-export", "newman.json", *more]
    own = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=LONGEST_RUN_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [_sent(one) for one in json.loads((folder / "newman.json").read_text(encoding="utf-8"))["run"]["executions"]]


def _sent(execution: dict[str, Any]) -> Sent:
    url = execution["request"]["url"]
    headers = {header["key"].lower(): header["value"] for header in execution["request"]["header"]}
    host = f"{url['protocol']}://{'.'.join(url['host'])}:{url['port']}"
    tests = {test["assertion"] for test in execution["assertions"]}
    return Sent(execution["item"]["name"], host, "/" + "/".join(url["path"]), headers.get("authorization"), tests)


def test_every_test_of_the_collection_runs_and_passes(tmp_path: Path, settings: dict[str, str]) -> None:
    with listening(tmp_path, **settings) as service:
        sent = newman(service.url, tmp_path)
    assert [request.name for request in sent] == [call.name for call in calls()]
    assert [call.name for call, request in zip(calls(), sent, strict=True) if call.tests - request.tests] == []
    assert {(request.host, request.authorization) for request in sent} == {(service.url, None)}


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
    with listening(tmp_path, **settings) as service, ThreadPoolExecutor(1) as pool:
        service.collector.start_first()
        run = pool.submit(newman, service.url, tmp_path, "--env-var", "token=let-me-in", *folders)
        try:
            wait_until(lambda: '"/readyz"' in service.log.read_text())
        finally:
            readied.set()
        sent = run.result()
    assert [request.name for request in sent].count("Ready") > 1
    assert {request.authorization for request in sent} == {"Bearer let-me-in"}
    assert sent[-1].path == "/collections/2"
