"""What README.md, docs/api.md and CONTRIBUTING.md promise is true, and links lead somewhere."""

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

EXAMPLES = ((ROOT / "README.md").read_text(), (ROOT / "docs/api.md").read_text())
CURL_LINES = [line for page in EXAMPLES for line in re.findall(r"^curl (.*)$", page, re.MULTILINE)]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "evidences/README.md"]
BEGINS = ("{", "<?xml", "# HELP", '"id",', "id,created,tweet")

curl = ArgumentParser(exit_on_error=False)
curl.add_argument("url")
curl.add_argument("-X", dest="method", default="GET")
curl.add_argument("-d", dest="data")
curl.add_argument("-w", dest="written", default="")


def test_every_curl_line_answers_without_an_error(tmp_path: Path, emulator: Emulator) -> None:
    assert len(CURL_LINES) >= 25
    with in_process(
        tmp_path,
        **environment(tmp_path, emulator)
        | {"TW_NUMBER": "10", "NOTIFY_URLS": "me=json://127.0.0.1:9/;team=json://127.0.0.1:9/"},
    ) as service:
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
    tree = (ROOT / "CONTRIBUTING.md").read_text().split("## Layout")[1].split("```")[1]
    assert {line.split()[0] for line in tree.strip().splitlines()} == expected


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", document.read_text())
    for target, anchor in (link for link in links if not link[0].startswith("http")):
        page = document.parent / target if target else document
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), f"{target}#{anchor}"


def test_every_page_is_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+)", EXAMPLES[0]))
    assert {f"docs/{page.name}" for page in ROOT.glob("docs/*.md")} <= linked


def test_the_files_that_recipes_name_are_there() -> None:
    recipes = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`([\w./-]+/[\w./-]*)`", recipes))
    assert sorted(path for path in named if not (ROOT / path).exists()) == []
