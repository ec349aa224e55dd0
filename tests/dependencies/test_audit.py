"""A known vulnerability ends the audit with 1; advisories that are out of reach never look like a good end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from scripts.audit import SERVICES, WHOLE, Answer, Broken, answer, audited, ignored, wrongly_installed
from scripts.pins import DEVELOPMENT, pins
from tests.fixtures.environment import ROOT

ADVISORY = {
    "id": "GHSA-h5c8-rqwp-cp95",
    "aliases": ["CVE-2024-22195"],
    "summary": "keys of xmlattr",
    "modified": "2024-01-11T00:00:00Z",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.3"}]}],
        }
    ],
}
OLD = f"jinja2==3.1.2 --hash=sha256:{'a' * 64}\nblinker==1.9.0 --hash=sha256:{'b' * 64}\n"


@contextmanager
def advisories(*, status: int = 200, garbled: bool = False) -> Iterator[str]:
    """Serve the one advisory as OSV does, and yield the URL."""

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            old = (asked["package"]["name"], asked["version"]) == ("jinja2", "3.1.2")
            body = b"<p>sign in" if garbled else json.dumps({"vulns": [ADVISORY]} if old else {}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()
        thread.join()


def audit(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the audit as make does."""
    command = [sys.executable, "scripts/audit.py", *arguments]
    environment = os.environ | {"NO_PROXY": "127.0.0.1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


def service(url: str) -> dict[str, list[str]]:
    return {"a service": [*SERVICES["OSV"], f"--osv-url={url}"]}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text(OLD)
    return file


def test_a_known_vulnerability_is_named_and_fails(old: Path) -> None:
    with advisories() as url:
        done = audit("--osv", url, old)
    assert done.stdout == "audit: jinja2 3.1.2: CVE-2024-22195 GHSA-h5c8-rqwp-cp95, fixed in 3.1.3\n"
    assert done.returncode == 1


def test_what_is_pinned_passes_where_nothing_is_known() -> None:
    with advisories() as url:
        done = audit("--osv", url, *WHOLE)
    assert (done.stdout, done.returncode) == ("audit: nothing found\n", 0)


def test_a_service_that_is_out_of_reach_is_said_in_one_line_with_a_code_of_its_own(old: Path) -> None:
    with advisories() as closed:
        pass
    done = audit("--osv", closed, old)
    assert done.stdout == f"audit: NOT AUDITED: {closed} gave no advisories for 2 packages (blinker …)\n"
    assert (done.stderr, done.returncode) == ("", os.EX_UNAVAILABLE)


@pytest.mark.parametrize(("status", "garbled"), [(404, False), (503, False), (200, True)])
def test_so_is_one_that_answers_something_else(old: Path, status: int, garbled: bool) -> None:
    with advisories(status=status, garbled=garbled) as url:
        assert audit("--osv", url, old).returncode == os.EX_UNAVAILABLE


def test_a_package_that_pypi_does_not_know_is_not_taken_for_a_safe_one(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "dependencies": [{"name": "blinker", "skip_reason": "not found"}, {"name": "jinja2", "version": "3.1.2", "vulns": []}]
    }
    done = subprocess.CompletedProcess([], 0, stdout=json.dumps(told), stderr="No known vulnerabilities found")
    monkeypatch.setattr("scripts.audit._run", lambda *arguments: done)
    assert answer([old], SERVICES["PyPI"], ["blinker", "jinja2"]) == Answer([], ["blinker"])
    assert audited([old], {"PyPI": SERVICES["PyPI"]}, {}, whole=True)[1] == os.EX_UNAVAILABLE


def test_where_one_service_fails_the_next_is_asked(old: Path) -> None:
    with advisories(status=404) as first, advisories() as second:
        lines, code = audited(
            [old], {"first": service(first)["a service"], "second": service(second)["a service"]}, {}, whole=True
        )
    assert (len(lines), code) == (1, 1)


def test_what_is_ignored_passes_and_is_named_with_its_reason(old: Path) -> None:
    reasons = ignored('[tool.audit.ignored]\nCVE-2024-22195 = "xmlattr is not used"\n')
    with advisories() as url:
        assert audited([old], service(url), reasons, whole=True) == (["ignored: CVE-2024-22195: xmlattr is not used"], 0)


def test_what_is_ignored_without_a_reason_or_a_need_fails(old: Path) -> None:
    with advisories() as url:
        lines, code = audited([old], service(url), {"CVE-2024-22195": " ", "CVE-1": "once"}, whole=True)
        assert audited([old], service(url), {"CVE-2024-22195": "unused", "CVE-1": "once"}, whole=False)[1] == 0
    assert lines[1:] == ["ignored without a reason: CVE-2024-22195", "ignored, but not found any more: CVE-1"]
    assert code == 1


def test_requirements_that_are_not_pinned_with_sums_fail(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    for text in ("jinja2>=3\n", "jinja2==3.1.6\n"):
        file.write_text(text)
        assert audit(file).returncode == 1


def test_a_failure_of_the_program_is_not_taken_for_one_of_the_network(tmp_path: Path) -> None:
    with pytest.raises(Broken):
        answer([tmp_path / "missing.txt"], SERVICES["OSV"], ["jinja2"])


def test_what_is_installed_is_what_is_pinned() -> None:
    wanted = {pin.name: pin.version for pin in pins(DEVELOPMENT.read_text(encoding="utf-8"))}
    extra = [line for line in wrongly_installed(wanted) if line.endswith("pinned is none")]  # put in by whoever works here
    assert list(wrongly_installed(wanted)) == extra
    flask = wanted["flask"]
    wanted |= {"flask": "3.1.2", "absent": "1"}
    del wanted["blinker"]
    assert set(wrongly_installed(wanted)) - set(extra) == {
        "absent: installed is none, pinned is 1",
        "blinker: installed is 1.9.0, pinned is none",
        f"flask: installed is {flask}, pinned is 3.1.2",
    }


@pytest.mark.parametrize(("code", "goes_on"), [(0, True), (os.EX_UNAVAILABLE, True), (1, False), (2, False)])
def test_ci_goes_on_without_advisories_and_stops_at_a_vulnerability(tmp_path: Path, code: int, goes_on: bool) -> None:
    [line] = [line for line in (ROOT / ".ci/run").read_text().splitlines() if "scripts/audit.py" in line]
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\nexit {code}\n")
    python.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{line}\necho on"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout == "on\n") is goes_on
