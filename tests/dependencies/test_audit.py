"""A known vulnerability ends the audit with 1; advisories that are out of reach never look like a good end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.audit import SERVICES, WHOLE, Broken, answer, audited, ignored, main, wrongly_installed
from scripts.audit import Answer as Told
from scripts.pins import DEVELOPMENT, pins
from tests.fixtures.environment import ROOT
from tests.stack.standin import Answer, Asked, Standin

RANGE = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.3"}]}
ADVISORY = {
    "id": "GHSA-h5c8-rqwp-cp95",
    "aliases": ["CVE-2024-22195"],
    "summary": "keys of xmlattr",
    "modified": "2024-01-11T00:00:00Z",
    "affected": [{"package": {"name": "jinja2", "ecosystem": "PyPI"}, "ranges": [RANGE]}],
}
OLD = f"jinja2==3.1.2 --hash=sha256:{'a' * 64}\nblinker==1.9.0 --hash=sha256:{'b' * 64}\n"
NOWHERE = "http://127.0.0.1:1"


class Advisories(Standin):
    """Answers with the one advisory, as OSV does, unless it is to answer something else."""

    def __init__(self, other: Answer | None = None) -> None:
        super().__init__()
        self.other = other

    def answer(self, asked: Asked) -> Answer:
        wanted = asked.json()
        is_old = (wanted["package"]["name"], wanted["version"]) == ("jinja2", "3.1.2")
        return self.other or (200, {"vulns": [ADVISORY]} if is_old else {})


def audit(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the audit as make does."""
    command = [sys.executable, "scripts/audit.py", *arguments]
    environment = os.environ | {"NO_PROXY": "127.0.0.1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text(OLD)
    return file


@pytest.mark.stack
def test_a_known_vulnerability_is_named_and_fails_and_what_is_pinned_passes(old: Path) -> None:
    with Advisories().serving() as osv:
        done = audit("--osv", osv.url, old)
        assert done.stdout == "audit: jinja2 3.1.2: CVE-2024-22195 GHSA-h5c8-rqwp-cp95, fixed in 3.1.3\n"
        assert done.returncode == 1
        done = audit("--osv", osv.url, *WHOLE)
        assert (done.stdout, done.returncode) == ("audit: nothing found\n", 0)


@pytest.mark.stack
def test_a_service_that_is_out_of_reach_or_answers_something_else_is_told_with_a_code_of_its_own(old: Path) -> None:
    done = audit("--osv", NOWHERE, old)
    assert done.stdout == f"audit: NOT AUDITED: {NOWHERE} gave no advisories for 2 packages (blinker …)\n"
    assert (done.stderr, done.returncode) == ("", os.EX_UNAVAILABLE)
    with Advisories((200, "<p>sign in")).serving() as osv:
        assert audit("--osv", osv.url, old).returncode == os.EX_UNAVAILABLE


Tell = Callable[..., None]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Let pip-audit tell of packages and their vulnerabilities, as its JSON has them; of nothing where no service answered."""

    def ran(told: list[dict[str, Any]] | None) -> subprocess.CompletedProcess[str]:
        if told is None:
            return subprocess.CompletedProcess([], 1, stdout="", stderr="pip_audit._service.interface.ServiceError: down")
        return subprocess.CompletedProcess([], 0, stdout=json.dumps({"dependencies": told}), stderr="")

    def tell(*answers: list[dict[str, Any]] | None) -> None:
        left = list(map(ran, answers))
        monkeypatch.setattr("scripts.audit._run", lambda *_arguments: left.pop(0))

    return tell


VULNERABLE = {"id": ADVISORY["id"], "aliases": ADVISORY["aliases"], "fix_versions": ["3.1.3"]}
FOUND = [{"name": "jinja2", "version": "3.1.2", "vulns": [VULNERABLE]}, {"name": "blinker", "version": "1.9.0", "vulns": []}]
SKIPPED = [{"name": "blinker", "skip_reason": "not found"}, {"name": "jinja2", "version": "3.1.2", "vulns": []}]


def test_a_package_that_pypi_does_not_know_is_not_taken_for_a_safe_one(old: Path, tell: Tell) -> None:
    tell(SKIPPED, SKIPPED)
    assert answer([old], SERVICES["PyPI"], ["blinker", "jinja2"]) == Told([], ["blinker"])
    assert audited([old], {"PyPI": SERVICES["PyPI"]}, {}, whole=True)[1] == os.EX_UNAVAILABLE


def test_where_one_service_fails_the_next_is_asked(old: Path, tell: Tell) -> None:
    tell(None, FOUND)
    lines, code = audited([old], SERVICES, {}, whole=True)
    assert (len(lines), code) == (1, 1)


def test_what_is_ignored_passes_with_its_reason_and_fails_without_a_reason_or_a_need(old: Path, tell: Tell) -> None:
    tell(FOUND, FOUND, FOUND)
    reasons = ignored('[tool.audit.ignored]\nCVE-2024-22195 = "xmlattr is not used"\n')
    assert audited([old], SERVICES, reasons, whole=True) == (["ignored: CVE-2024-22195: xmlattr is not used"], 0)
    lines, code = audited([old], SERVICES, {"CVE-2024-22195": " ", "CVE-1": "once"}, whole=True)
    assert lines[1:] == ["ignored without a reason: CVE-2024-22195", "ignored, but not found any more: CVE-1"]
    assert code == 1
    assert audited([old], SERVICES, {"CVE-2024-22195": "unused", "CVE-1": "once"}, whole=False)[1] == 0


def test_requirements_that_are_not_pinned_with_sums_fail(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("jinja2==3.1.6\n")
    assert main([str(file)]) == 1


def test_a_failure_of_the_program_is_not_taken_for_one_of_the_network(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr="No such file or directory")
    monkeypatch.setattr("scripts.audit._run", lambda *_arguments: failed)
    with pytest.raises(Broken):
        answer([old], SERVICES["OSV"], ["jinja2"])


@pytest.mark.stack
def test_what_is_installed_is_what_is_pinned() -> None:
    wanted = {pin.name: pin.version for pin in pins(DEVELOPMENT.read_text(encoding="utf-8"))}
    extra = [line for line in wrongly_installed(wanted) if line.endswith("pinned is none")]  # put in by whoever works here
    assert list(wrongly_installed(wanted)) == extra
    other = wanted | {"flask": "3.1.2", "absent": "1"}
    told = {"absent: installed is none, pinned is 1", f"flask: installed is {wanted['flask']}, pinned is 3.1.2"}
    assert set(wrongly_installed(other)) - set(extra) == told


@pytest.mark.stack
def test_ci_goes_on_without_advisories_and_stops_at_a_vulnerability(tmp_path: Path) -> None:
    [line] = [line for line in (ROOT / ".ci/run").read_text().splitlines() if "scripts/audit.py" in line]
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    for code, goes_on in ((0, True), (os.EX_UNAVAILABLE, True), (1, False), (2, False)):
        python.write_text(f"#!/bin/sh\nexit {code}\n")
        python.chmod(0o755)
        command = ["bash", "-euo", "pipefail", "-c", f"{line}\necho on"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.stdout == "on\n") is goes_on, code
