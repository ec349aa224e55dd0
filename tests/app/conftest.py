"""What tests of the whole share: its collections, tweets that nobody bought, and commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.fixtures import databases
from tests.fixtures.environment import ROOT


def states(folder: Path) -> list[str]:
    """Return the states of all collections, by id."""
    return [state for (state,) in databases.asked(databases.url_of(folder), "SELECT state FROM runs ORDER BY id")]


def fill(folder: Path, count: int) -> None:
    """Add tweets to a migrated database, far faster than by import."""
    url = databases.url_of(folder)
    for sql in (
        "INSERT INTO runs (id, kind, state, started, tweets_added, posts, users, floor, ceiling) "
        "VALUES (1, 'import', 'done', '', 0, 0, 0, 0, 0)",
        "INSERT INTO tweets (id, version, text, created, run_id)"
        f" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        " SELECT i, i, 'invented ' || i || ' ' || hex(zeroblob(100)), '2026-11-17T12:34:56Z', 1 FROM n",
        "INSERT INTO marks VALUES ('source', 'x')",
    ):
        databases.asked(url, sql)


def run(folder: Path, *arguments: str, cwd: str | Path = ROOT, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Python's to its end, with these variables and no others."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), **settings}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=90, check=False)
