"""What README.md promises is true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.environment import ROOT
from tests.fixtures.processes import Server

README = (ROOT / "README.md").read_text()
CURL_LINES = re.findall(r"^curl .*$", README, re.MULTILINE)


def test_every_curl_line_answers_without_an_error(server: Server) -> None:
    assert len(CURL_LINES) >= 8
    assert server.get("/database").status_code == 200
    for line in CURL_LINES:
        command = shlex.split(line.replace("localhost:5000", server.url.removeprefix("http://")))
        done = subprocess.run(
            [*command, "--silent", "--fail-with-body"], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stdout}"
        assert done.stdout.startswith(("{", "# HELP", '"tweet",'))


def test_the_tree_names_every_folder_and_python_file_of_the_top() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    tops = {Path(name).parts[0] + ("/" if "/" in name else "") for name in listed}
    expected = {top for top in tops if top.endswith(("/", ".py")) and not top.startswith(".")}
    tree = README.split("## Project")[1].split("```")[1]
    named = {line.split()[0] for line in tree.strip().splitlines()}
    assert named == expected


@pytest.mark.parametrize(
    "document", sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
)
def test_links_within_the_repository_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert ((ROOT / document).parent / target).exists(), target


def test_the_architecture_is_what_its_script_draws() -> None:
    before = (ROOT / "docs/architecture.svg").read_text()
    drawn = subprocess.run(
        [sys.executable, "-c", "import scripts.architecture as a; print(a.drawing(), end='')"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert drawn.stdout == before
