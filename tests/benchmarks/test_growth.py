"""What growth is measured on adds up: every table is filled as an import leaves it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchmarks.cluster import PROGRAMS, running
from tests.fixtures.databases import MISSING
from tests.fixtures.environment import ROOT

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.process,
    pytest.mark.skipif(not (PROGRAMS / "postgres").exists(), reason=MISSING),
]


@pytest.mark.parametrize("count", [500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_what_is_filled_by_sql_verifies_and_goes_out_and_in_again(count: int) -> None:
    with TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        command = [sys.executable, "benchmarks/growth.py", "--folder", folder, "--tweets", str(count), "--only"]
        filled = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        assert filled.returncode == 0, filled.stderr
        with running(Path(folder), "fsync=off") as cluster:
            with cluster.connection("growth") as connection:
                invalid = connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
                assert invalid == (0,), "an index of a whole table doesn't know those of its parts"
            _flask(cluster.url("growth"), "database", "verify")
            export = _flask(cluster.url("growth"), "tweets", "export")
            assert export.count("\n") == count
            file = Path(folder, "export.ndjson")
            file.write_text(export)
            cluster.make("again")
            _flask(cluster.url("again"), "tweets", "import", str(file))
            assert _flask(cluster.url("again"), "tweets", "export") == export


def _flask(url: str, *command: str) -> str:
    own = {"DATABASE_URL": url, "TWITTER_API_URL": "http://127.0.0.1:9"}
    line = [sys.executable, "-m", "flask", "--app", "app", *command]
    done = subprocess.run(line, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
