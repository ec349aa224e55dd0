"""Metrics of several processes: each worker continues the counts of its slot's last owner, in files that never grow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from telemetry import processes
from telemetry.metrics import MOST_LABELS
from tests.fixtures.environment import ROOT

pytestmark = pytest.mark.process
WORKER = """
import sys
from telemetry import processes
processes.take_slot()
from prometheus_client import generate_latest
from telemetry.metrics import LogMetrics
from telemetry.metrics import HttpMetrics, scrape_registry
http = HttpMetrics()
logs = LogMetrics(http.registry)
if sys.argv[1] == "scrape":
    print(generate_latest(scrape_registry(http.registry, ())).decode())
else:
    logs.delivery.queued(7)
    for number in range(300):
        http.observe("GET", f"/{sys.argv[1]}/{number}", 200, 0.1)
"""


def test_workers_that_follow_one_another_in_a_slot_count_on_within_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(processes.VARIABLE, "set, and restored at the end")
    processes.share(tmp_path / "metrics", 1)

    def work(name: str) -> str:
        command = [sys.executable, "-c", WORKER, name]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, env=os.environ).stdout

    for name in ("first", "second", "third"):
        work(name)
    families = text_string_to_metric_families(work("scrape"))
    found = [sample for family in families for sample in family.samples]
    counted = [sample.value for sample in found if sample.name == "flask_http_request_duration_seconds_count"]
    assert (sum(counted), len(counted)) == (900, MOST_LABELS + 1)
    assert [sample.value for sample in found if sample.name == "twitterapi_log_queue_records"] == [0]
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "metrics").glob("*.db")}
    assert sizes == {f"{kind}_{slot}.db": size for kind, size in processes.SIZES.items() for slot in (0, 1)}
