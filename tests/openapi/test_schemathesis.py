"""Schemathesis, all checks, finds nothing: requests are taken or refused, and answered, as declared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.service import Service, listening
from tests.openapi.contract import Contract
from tests.resources.conftest import QUIET

PHASES = "coverage,fuzzing,stateful"  # test_examples.py sends the examples
SEED = os.environ.get("TORTURE_SEED", "20261125")
TOKEN = "write-7c1f0ad24b9e58d3"
SIGNED = {"Authorization": f"Bearer {TOKEN}"}
LONGEST_RUN_S = 1200
REFUSALS = "checks.negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 414, 431, '5xx']\n"


@contextmanager
def listened(folder: Path, **more: str) -> Iterator[Service]:
    """The service with a few tweets of each tag, over an emulator that answers at once."""
    with Emulator() as emulator:
        emulator.clock.hold(QUIET)
        with listening(folder, **environment(folder, emulator) | {"TW_NUMBER": "20"} | more) as running:
            assert running.get("/database", headers=SIGNED).status_code == 200
            yield running


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Service]:
    with listened(tmp_path) as running:
        yield running


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Service]:
    """The service that asks for a token."""
    with listened(tmp_path, API_TOKEN=TOKEN) as running:
        yield running


def unsure(document: dict[str, Any]) -> list[str]:
    """Return the operations that may refuse what their schemas take: values that nobody can make up, and bounds that cross."""
    operations = [operation for *_, operation in Contract(document).operations()]
    opaque = [any(parameter.get("x-opaque") for parameter in operation["parameters"]) for operation in operations]
    crossed = [operation.get("x-cross-checked", False) for operation in operations]
    return [one["operationId"] for one, *why in zip(operations, opaque, crossed, strict=True) if any(why)]


def run(
    service: Service, folder: Path, document: dict[str, Any], *more: str, headers: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Schemathesis against the service; what it is told not to check is acceptance, for operations that are unsure."""
    (folder / "document.json").write_text(json.dumps(document))
    rules = [
        f'[[operations]]\ninclude-operation-id = "{one}"\nchecks.positive_data_acceptance.enabled = false\n'
        for one in unsure(document)
    ]
    (folder / "schemathesis.toml").write_text("\n".join([REFUSALS, *rules]))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "document.json"]
    command += ["--url", service.url, "--generation-database", "none", "--seed", SEED, "--no-color", "--workers", "2", *more]
    command += [f"--header={name}: {value}" for name, value in (headers or {}).items()]
    hooks = {
        "SCHEMATHESIS_HOOKS": str(ROOT / "tests" / "openapi" / "hooks.py"),
        "SCHEMATHESIS_HEADERS": json.dumps(headers or {}),
    }
    variables = os.environ | hooks
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=LONGEST_RUN_S, check=False
    )


@pytest.mark.stack
def test_it_finds_nothing_and_no_operation_that_forgets_to_ask_for_a_token(guarded: Service, tmp_path: Path) -> None:
    document = guarded.get("/openapi.json", headers=SIGNED).json()
    asking = [operation for _, _, operation in Contract(document).operations() if operation["security"] == [{"token": []}]]
    assert len(asking) > 20
    done = run(guarded, tmp_path, document, "--phases", PHASES, "--max-examples", "1", headers=SIGNED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stateful" in done.stdout


@pytest.mark.slow
@pytest.mark.stack
def test_it_finds_nothing_in_a_long_run(plain: Service, tmp_path: Path) -> None:
    document = plain.get("/openapi.json").json()
    done = run(plain, tmp_path, document, "--phases", PHASES, "--max-examples", "1000")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.stack
def test_an_operation_that_forgets_to_ask_for_a_token_is_noticed(plain: Service, tmp_path: Path) -> None:
    document = plain.get("/openapi.json").json()
    document["paths"]["/tags"]["get"]["security"] = [{"token": []}]  # as if this service, which has none, asked for one
    only = ("--include-path", "/tags", "--include-method", "GET")
    done = run(plain, tmp_path, document, "--phases", "fuzzing", "--max-examples", "1", *only, headers=SIGNED)
    assert done.returncode == 1
    assert "uthentication" in done.stdout


@pytest.mark.slow
@pytest.mark.stack
def test_an_answer_that_lacks_a_key_is_noticed(plain: Service, tmp_path: Path) -> None:
    document = plain.get("/openapi.json").json()
    document["components"]["schemas"]["Alive"]["required"].append("nothing")
    done = run(plain, tmp_path, document, "--phases", "fuzzing", "--max-examples", "1", "--include-path", "/livez")
    assert done.returncode == 1
    assert "nothing" in done.stdout


def test_it_leaves_out_nothing_but_what_is_opaque_or_crosses(contract: Contract) -> None:
    left_out = set(unsure(contract.document))
    assert {"getCollections", "getVolume", "getTweets", "getTimeline"} <= left_out
    assert not {"putTag", "getTag", "getTweet", "getCollection", "deleteAuthor"} & left_out
