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
    """The service, open or asking for a token, with a few tweets of each tag, over an emulator that answers at once.

    Wrong keys of feeds, which are sent a thousand times, don't wait.
    """
    with Emulator() as emulator, pytest.MonkeyPatch.context() as patch:
        patch.setattr("security.tokens.LONGEST_S", 0)
        emulator.clock.hold(QUIET)
        with listening(folder, **environment(folder, emulator) | {"TW_NUMBER": "20"} | more) as running:
            assert running.get("/database", headers=SIGNED).status_code == 200
            yield running


def unsure(document: dict[str, Any]) -> list[str]:
    """Return the operations that may refuse what their schemas take: values that nobody can make up, and bounds that cross."""
    operations = [operation for *_, operation in Contract(document).operations()]
    opaque = [any(parameter.get("x-opaque") for parameter in operation["parameters"]) for operation in operations]
    crossed = [operation.get("x-cross-checked", False) for operation in operations]
    return [one["operationId"] for one, *why in zip(operations, opaque, crossed, strict=True) if any(why)]


def assert_finds_nothing(service: Service, folder: Path, examples: int) -> Contract:
    """Run Schemathesis against the service; all that it is told not to check is acceptance, of operations that are unsure."""
    document = service.get("/openapi.json", headers=SIGNED).json()
    (folder / "document.json").write_text(json.dumps(document))
    unchecked = '[[operations]]\ninclude-operation-id = "{}"\nchecks.positive_data_acceptance.enabled = false\n'
    (folder / "schemathesis.toml").write_text("\n".join([REFUSALS, *map(unchecked.format, unsure(document))]))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "document.json"]
    # One worker: before 3.11.8 two threads that parse Python at once fail with a SystemError (CPython's gh-106905).
    command += ["--url", service.url, "--generation-database", "none", "--seed", SEED, "--no-color", "--workers", "1"]
    command += ["--phases", PHASES, "--max-examples", str(examples)]
    command += [f"--header={name}: {value}" for name, value in SIGNED.items()]
    hooks = str(ROOT / "tests" / "openapi" / "hooks.py")
    own = {"SCHEMATHESIS_HOOKS": hooks, "SCHEMATHESIS_HEADERS": json.dumps(SIGNED)}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | own, capture_output=True, text=True, timeout=LONGEST_RUN_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stateful" in done.stdout
    return Contract(document)


@pytest.mark.stack
def test_it_finds_nothing_and_no_operation_that_forgets_to_ask_for_a_token(tmp_path: Path) -> None:
    with listened(tmp_path, API_TOKEN=TOKEN) as guarded:
        contract = assert_finds_nothing(guarded, tmp_path, examples=1)
    assert len([path for path, _, operation in contract.operations() if operation["security"] == [{"token": []}]]) > 20


@pytest.mark.slow
@pytest.mark.stack
def test_it_finds_nothing_in_a_long_run(tmp_path: Path) -> None:
    with listened(tmp_path) as plain:
        assert_finds_nothing(plain, tmp_path, examples=1000)


def test_it_leaves_out_nothing_but_what_is_opaque_or_crosses(contract: Contract) -> None:
    left_out = set(unsure(contract.document))
    assert {"getCollections", "getVolume", "getTweets", "getTimeline"} <= left_out
    assert not {"putTag", "getTag", "getTweet", "getCollection", "deleteAuthor"} & left_out
