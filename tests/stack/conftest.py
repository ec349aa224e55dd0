"""The shells that the stack's scripts run in, what looks over its compose files, and what the service logs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_lint.cli import main

from emulator import Emulator
from logstash import EcsFormatter
from tests.fixtures.environment import environment
from tests.fixtures.service import in_process
from tests.stack.files import COMPOSE
from tests.stack.log_queries import TRACE
from tests.stack.records import Json
from tests.stack.shells import Secrets, Shell

JOBS = {"COUNT_EVERY": "1d", "RECONCILE_EVERY": "1d", "COMPLY_EVERY": "1d", "BACKUP_EVERY": "1d"}


@pytest.fixture(params=["sh", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """A POSIX shell with its tools."""
    return Shell.named(request.param, tmp_path)


@pytest.fixture
def secrets(shell: Shell, tmp_path: Path) -> Secrets:
    """The script that makes secrets, over folders of the test's own."""
    return Secrets(shell, tmp_path)


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str, Path], None]:
    """Hold that compose-lint finds nothing in a text but the exceptions of a file, each of which is still needed."""

    def findings(*options: str) -> list[dict[str, Any]]:
        with monkeypatch.context() as here:
            here.chdir(tmp_path)
            here.setattr(sys, "argv", ["compose-lint", "check", "--format=json", "--fail-on=low", *options, COMPOSE])
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        assert ended.value.code in (0, 1), said.err
        return list(json.loads(said.out)["findings"])

    def hold(text: str, exceptions: Path) -> None:
        (tmp_path / COMPOSE).write_text(text)
        assert findings("--strict-config", "--skip-suppressed", f"--config={exceptions}") == []
        needed: dict[str, set[str]] = {}
        for finding in findings():
            needed.setdefault(finding["rule_id"], set()).add(finding["service"])
        rules = yaml.safe_load(exceptions.read_text())["rules"]
        assert needed == {rule: set(found.get("exclude_services", needed.get(rule, ()))) for rule, found in rules.items()}

    return hold


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    """What the service logs while it answers, refuses, collects, runs its jobs, is refused by X, and loses its database."""
    folder = tmp_path_factory.mktemp("service")
    with Emulator() as emulator, in_process(folder, **environment(folder, emulator) | JOBS) as service:
        service.get("/tweets", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
        service.get("/nothing/here?token=secret")
        service.get("/tweets?order_by_followers_desc=none")
        service.request("DELETE", "/tweets")
        emulator.plan("server_503")
        emulator.latency = 0.3  # so that a request is slow
        service.get("/database")
        emulator.latency = 0
        emulator.plan("invalid_request", endpoint="counts")
        emulator.plan("not_enrolled", endpoint="usage")
        service.app.extensions["job_runner"].run_due()
        service.request("DELETE", "/tweets/7")
        emulator.plan("unauthorized", times=None)
        service.get("/database")
        service.request("DELETE", "/database")
        service.get("/metrics")
        for path in folder.glob("tweets.db*"):
            path.write_bytes(b"no database at all, but long enough to be read as the head of one" * 99)
        service.get("/tweets")
        logged = [json.loads(line) for line in service.log.read_text().splitlines()]
    error = OSError(28, "No space left on device")  # for which a running service gives no occasion
    record = logging.LogRecord("resources", logging.ERROR, __file__, 1, "unexpected", None, (OSError, error, None))
    return [*logged, json.loads(EcsFormatter(dict).format(record))]
