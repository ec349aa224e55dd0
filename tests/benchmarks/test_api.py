"""Benchmarks still run: every row of the API's is measured, small and all at once; and loads tell the truth."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.load import Refused, each_ms, p99, steady_ms, throughput
from tests.benchmarks.stalling import stalling
from tests.fixtures.environment import ROOT

PACKAGES = {"wrk": "wrk", "h2load": "nghttp2-client", "sqlite3": "sqlite3"}
MEASURED = ("unchanged",)
LONGER = ("process", "tweets", "aggregates", "cold", "dumps", "searches", "pages")
STALL_S, RATE = 0.3, 100

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not all(map(shutil.which, PACKAGES)), reason=f"needs the packages {', '.join(PACKAGES.values())}"),
]


def quick(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/api.py", "--quick", "--keep", str(folder), "--markdown", "--only", *names]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_rows_are_measured(tmp_path: Path) -> None:
    ended = quick(tmp_path, *MEASURED)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("`python benchmarks/api.py`") == 1
    assert [path.name.split("-")[0] for path in tmp_path.iterdir()] == ["300"]


@pytest.mark.slow
def test_the_other_rows_are_measured(tmp_path: Path) -> None:
    assert quick(tmp_path, *LONGER).returncode == 0


@pytest.mark.slow
def test_the_import_is_measured() -> None:
    command = [sys.executable, "benchmarks/import.py", "--tweets", "200", "--rounds", "1"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout.count("\n")) == (0, 4), ended.stderr


CONSTANT = [lambda url: steady_ms(url, RATE, 1), lambda url: each_ms([url] * RATE, RATE)]
MEASURES = [*CONSTANT, lambda url: throughput(url, 1)]


@pytest.mark.parametrize("latencies", CONSTANT)
def test_a_constant_rate_does_not_hide_a_stall(latencies: Callable[[str], list[float]]) -> None:
    with stalling(STALL_S) as server:
        slow = [latency for latency in latencies(server + "/") if latency > STALL_S * 1000 / 2]
    assert len(slow) >= RATE * STALL_S / 2 * 0.8


@pytest.mark.parametrize("measure", MEASURES)
def test_an_answer_that_is_none_is_no_result(measure: Callable[[str], object]) -> None:
    with stalling(0) as server, pytest.raises(Refused):
        measure(server + "/missing")


def test_of_few_latencies_the_worst_counts() -> None:
    assert p99([1.0]) == 1.0
    assert p99([1.0] * 99 + [1000.0]) > 10
