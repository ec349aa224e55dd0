"""The restore drill of docs/operations.md, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from api import get_tweets
from collector.backups.backups import make_scheduled_backup
from collector.runs.collector import Collector
from emulator import Emulator
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.processes import free_port
from tests.fixtures.service import listening

pytestmark = [pytest.mark.process, pytest.mark.stack]

GUIDE = ROOT / "docs" / "operations.md"
FIRST_LINE = "live=http://127.0.0.1:5000 database=data/tweets.db port=5055\n"
SECTION = GUIDE.read_text().split("\n### Restore drill\n")[1].split("\n### ")[0]
[BLOCK] = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
TOKEN, NOBODY = "opensesame", "http://127.0.0.1:9"

Ran = subprocess.CompletedProcess[str]
Drill = Callable[..., Ran]


@pytest.fixture
def drill(collector: Collector, tmp_path: Path) -> Drill:
    """Run a block over a database with tweets; whatever comes of it, nothing of it is left."""
    get_tweets(collector)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(scratch), "API_TOKEN": TOKEN}

    def run(shell: str, *, live: str = NOBODY) -> Ran:
        assert shell.count(FIRST_LINE) == 1
        ours = f"live={live} database={collector.database.file} port={free_port()}\n"
        shell = shell.replace(FIRST_LINE, ours).replace(".venv/bin/", f"{Path(sys.executable).parent}/")
        ran = subprocess.run(
            ["bash", "-eu", "-c", shell], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=90, check=False
        )
        assert list(scratch.iterdir()) == []
        return ran

    return run


def test_the_newest_copy_is_restored_and_served_and_the_service_is_left_alone(
    drill: Drill, collector: Collector, emulator: Emulator, tmp_path: Path
) -> None:
    older, copy = (make_scheduled_backup(collector.database, kept=2) for _ in range(2))
    with listening(tmp_path, **environment(tmp_path, emulator) | {"API_TOKEN": TOKEN}) as live:
        headers, sold = {"Authorization": f"Bearer {TOKEN}"}, len(emulator.requests)
        before = live.get("/tweets", headers=headers)
        ran = drill(BLOCK, live=live.url)
        assert ran.returncode == 0, ran.stderr
        count = len(before.json()["tweets"])
        assert count > 100
        assert ran.stdout.splitlines() == [f"drill passed: {count} tweets in {copy}, {count} in the service now"]
        assert live.get("/tweets", headers=headers).content == before.content
    assert len(emulator.requests) == sold
    assert sorted(file.name for file in (tmp_path / "backups").glob("*.db")) == [older, copy]


def test_without_a_scheduled_copy_the_drill_makes_one(drill: Drill, tmp_path: Path) -> None:
    ran = drill(BLOCK.split("\nexport ")[0] + '\nwc -c < "$copy"\n)\n')
    assert (ran.returncode, int(ran.stdout) > 100_000) == (0, True), ran.stderr
    assert not (tmp_path / "backups").exists()


def test_a_copy_that_is_damaged_does_not_pass(drill: Drill, collector: Collector, tmp_path: Path) -> None:
    copy = tmp_path / "backups" / make_scheduled_backup(collector.database, kept=1)
    copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
    ran = drill(BLOCK)
    assert ran.returncode != 0
    assert f"Error: {copy.name}" in ran.stderr
    assert "drill passed" not in ran.stdout
