"""What README.md promises is true."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from argparse import ArgumentParser
from pathlib import Path

import pytest

from emulator import Emulator
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.service import in_process

README = (ROOT / "README.md").read_text()
CURL_LINES = re.findall(r"^curl (.*)$", README, re.MULTILINE)
BEGINS = ("{", "# HELP", '"tweet",', "id,created,tweet")

curl = ArgumentParser(exit_on_error=False)
curl.add_argument("url")
curl.add_argument("-X", dest="method", default="GET")
curl.add_argument("-d", dest="data")
curl.add_argument("-w", dest="written", default="")


def test_every_curl_line_answers_without_an_error(tmp_path: Path, emulator: Emulator) -> None:
    assert len(CURL_LINES) >= 20
    with in_process(tmp_path, **environment(tmp_path, emulator) | {"TW_NUMBER": "10"}) as service:
        assert service.request("POST", "/database").status_code == 200
        for line in CURL_LINES:
            assert not re.search("[?&]", re.sub("'[^']*'", "", line)), "a shell takes this for its own"
            asked = curl.parse_args(shlex.split(line))
            host, path = asked.url.split("/", 1)
            answer = service.request(asked.method, f"/{path}", data=asked.data, allow_redirects=False)
            assert (host, answer.ok) == ("localhost:5000", True), f"{line}: {answer.text}"
            assert (answer.text or asked.written).startswith(BEGINS), line
            if answer.status_code == 202:
                service.until(lambda: service.get("/collections?limit=1").json()["collections"][0]["state"] != "running")


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
