"""Prometheus shows the service the token of its file, and a new one from the next scrape on, without a restart."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.waiting import wait_until
from tests.prometheus.programs import prometheus, with_programs
from tests.prometheus.sinks import Web


@with_programs
def test_the_token_of_the_file_is_shown_and_a_new_one_without_a_restart(tmp_path: Path) -> None:
    with Web() as service, prometheus(tmp_path, target=service.address, token="1st"):
        wait_until(lambda: "Bearer 1st" in service.shown)
        (tmp_path / "anew").write_text("2nd\n")
        (tmp_path / "anew").rename(tmp_path / "metrics-token")
        wait_until(lambda: "Bearer 2nd" in service.shown)
        assert set(service.shown) == {"Bearer 1st", "Bearer 2nd"}
