"""Schemathesis, all phases and all checks, finds nothing: requests are taken or refused, and answered, as declared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.processes import Server, serving
from tests.openapi.contract import Contract
from tests.resources.conftest import QUIET

PHASES = "examples,coverage,fuzzing,stateful"
SEED = os.environ.get("TORTURE_SEED", "20261125")
TOKEN = "write-7c1f0ad24b9e58d3"
SIGNED = {"Authorization": f"Bearer {TOKEN}"}
LONGEST_RUN_S = 1200
REFUSALS = "checks.negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 414, 431, '5xx']\n"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Server]:
    """The service with a few tweets of each tag, over an emulator that answers at once."""
    with Emulator() as emulator:
        emulator.clock.hold(QUIET)
        with serving(tmp_path, **environment(tmp_path, emulator) | {"TW_NUMBER": "20"}) as server:
            assert server.get("/database").status_code == 200
            yield server


def unsure(document: dict[str, Any]) -> list[str]:
    """Return the operations that may refuse what their schemas take: values that nobody can make up, and bounds that cross."""
    operations = [operation for *_, operation in Contract(document).operations()]
    opaque = [any(parameter.get("x-opaque") for parameter in operation["parameters"]) for operation in operations]
    crossed = [operation.get("x-cross-checked", False) for operation in operations]
    return [one["operationId"] for one, *why in zip(operations, opaque, crossed, strict=True) if any(why)]


def run(
    server: Server, folder: Path, document: dict[str, Any], *more: str, headers: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Schemathesis against the server; what it is told not to check is acceptance, for operations that are unsure."""
    (folder / "document.json").write_text(json.dumps(document))
    rules = [
        f'[[operations]]\ninclude-operation-id = "{one}"\nchecks.positive_data_acceptance.enabled = false\n'
        for one in unsure(document)
    ]
    (folder / "schemathesis.toml").write_text("\n".join([REFUSALS, *rules]))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "document.json"]
    command += ["--url", server.url, "--generation-database", "none", "--seed", SEED, "--no-color", "--workers", "2", *more]
    command += [f"--header={name}: {value}" for name, value in (headers or {}).items()]
    hooks = {
        "SCHEMATHESIS_HOOKS": str(ROOT / "tests" / "openapi" / "hooks.py"),
        "SCHEMATHESIS_HEADERS": json.dumps(headers or {}),
    }
    variables = os.environ | hooks
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=LONGEST_RUN_S, check=False
    )


def test_it_finds_nothing(service: Server, tmp_path: Path) -> None:
    document = service.get("/openapi.json").json()
    done = run(service, tmp_path, document, "--phases", PHASES, "--max-examples", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stateful" in done.stdout


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Server]:
    """The same service, which asks for a token."""
    with Emulator() as emulator:
        emulator.clock.hold(QUIET)
        settings = environment(tmp_path, emulator) | {"TW_NUMBER": "20", "API_TOKEN": TOKEN}
        with serving(tmp_path, **settings) as server:
            assert server.get("/database", headers=SIGNED).status_code == 200
            yield server


def test_with_a_token_it_finds_nothing_and_no_operation_that_forgets_to_ask_for_it(guarded: Server, tmp_path: Path) -> None:
    document = guarded.get("/openapi.json", headers=SIGNED).json()
    asking = [operation for _, _, operation in Contract(document).operations() if operation["security"] == [{"token": []}]]
    assert len(asking) > 20
    done = run(guarded, tmp_path, document, "--phases", "fuzzing", "--max-examples", "1", headers=SIGNED)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_operation_that_forgets_to_ask_for_a_token_is_noticed(service: Server, tmp_path: Path) -> None:
    document = service.get("/openapi.json").json()
    document["paths"]["/tags"]["get"]["security"] = [{"token": []}]  # as if this service, which has none, asked for one
    only = ("--include-path", "/tags", "--include-method", "GET")
    done = run(service, tmp_path, document, "--phases", "fuzzing", "--max-examples", "1", *only, headers=SIGNED)
    assert done.returncode == 1
    assert "uthentication" in done.stdout


@pytest.mark.slow
def test_it_finds_nothing_in_a_long_run(service: Server, tmp_path: Path) -> None:
    document = service.get("/openapi.json").json()
    done = run(service, tmp_path, document, "--phases", PHASES, "--max-examples", "1000")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_with_a_token_it_finds_nothing_in_all_phases(guarded: Server, tmp_path: Path) -> None:
    document = guarded.get("/openapi.json", headers=SIGNED).json()
    done = run(guarded, tmp_path, document, "--phases", PHASES, "--max-examples", "50", headers=SIGNED)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_leaves_out_nothing_but_what_is_opaque_or_crosses(service: Server) -> None:
    document = service.get("/openapi.json").json()
    assert {"getCollections", "getVolume", "getTweets", "getTimeline"} <= set(unsure(document))
    assert not {"putTag", "getTag", "getTweet", "getCollection", "deleteAuthor"} & set(unsure(document))


def test_an_answer_that_lacks_a_key_is_noticed(service: Server, tmp_path: Path) -> None:
    document = service.get("/openapi.json").json()
    document["components"]["schemas"]["Alive"]["required"].append("nothing")
    done = run(service, tmp_path, document, "--phases", "fuzzing", "--max-examples", "1", "--include-path", "/livez")
    assert done.returncode == 1
    assert "nothing" in done.stdout
