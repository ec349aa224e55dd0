"""What README.md promises is true."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from emulator import Emulator
from scripts.architecture import drawing
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.service import Service, listening

README = (ROOT / "README.md").read_text()
CURL_LINES = re.findall(r"^curl .*$", README, re.MULTILINE)
MEANT = {"-X": "method", "-d": "data", "-w": "written"}
BEGINS = ("{", "# HELP", '"tweet",', "id,created,tweet")


class Asked(NamedTuple):
    """What a line with curl asks for, and what it writes behind the answer."""

    path: str
    method: str = "GET"
    data: str | None = None
    written: str = ""


def asked(line: str) -> Asked:
    """Read a line; fails where it has an option that this test does not know."""
    _, *words = shlex.split(line)
    options, paths = {}, []
    while words:
        word = words.pop(0)
        if word in MEANT:
            options[MEANT[word]] = words.pop(0)
        else:
            assert word.startswith("localhost:5000/"), line
            paths.append(word.removeprefix("localhost:5000"))
    [path] = paths
    return Asked(path, **options)


@pytest.fixture
def service(tmp_path: Path, emulator: Emulator) -> Iterator[Service]:
    """The service, in this process and for curl, that collects few tweets at a time."""
    with listening(tmp_path, **environment(tmp_path, emulator) | {"TW_NUMBER": "10"}) as running:
        yield running


def test_every_curl_line_answers_without_an_error(service: Service) -> None:
    assert len(CURL_LINES) >= 20
    assert service.request("POST", "/database").status_code == 200
    for line in CURL_LINES:
        wanted = asked(line)
        answer = service.request(wanted.method, wanted.path, data=wanted.data, allow_redirects=False)
        assert answer.ok, f"{line}: {answer.text}"
        assert (answer.text or wanted.written).startswith(BEGINS), line
        if answer.status_code == 202:
            service.until(lambda: service.get("/collections?limit=1").json()["collections"][0]["state"] != "running")


@pytest.mark.stack
def test_curl_asks_as_these_lines_say(service: Service) -> None:
    """Of each kind of line one: a plain path, a query, a method, a body, what is written behind."""
    if not (curl := shutil.which("curl")):
        pytest.skip("curl is missing: apt-get install curl")
    for kind in ("curl localhost:5000/tags$", "by=lang", "-X PUT .* -d", "-X DELETE .* -w"):
        line = next(line for line in CURL_LINES if re.search(kind, line))
        command = shlex.split(line.replace("localhost:5000", service.url.removeprefix("http://")))
        done = subprocess.run([curl, *command[1:], "-s", "--fail-with-body"], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout[:1]) == (0, "{"), f"{line}: {done.stdout}"


@pytest.mark.stack
def test_the_tree_names_every_folder_and_python_file_of_the_top() -> None:
    if not (git := shutil.which("git")):
        pytest.skip("git is missing: apt-get install git")
    listed = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    tops = {Path(name).parts[0] + ("/" if "/" in name else "") for name in listed}
    expected = {top for top in tops if top.endswith(("/", ".py")) and not top.startswith(".")}
    tree = README.split("## Project")[1].split("```")[1]
    assert {line.split()[0] for line in tree.strip().splitlines()} == expected


def test_links_within_the_repository_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
        own = [target for target in targets if not target.startswith("http")]
        assert [target for target in own if not (document.parent / target).exists()] == [], document.name


def test_the_architecture_is_what_its_script_draws() -> None:
    assert (ROOT / "docs/architecture.svg").read_text() == drawing()
