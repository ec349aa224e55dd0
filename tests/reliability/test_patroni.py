"""Patroni and etcd decide who is the primary: what was acknowledged survives two leaders. Run by make torture-ha."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator import Emulator
from tests.reliability.failover import failing_over
from tests.reliability.patroni import kept

pytestmark = pytest.mark.reliability
KILLS = 2


@pytest.mark.ha
def test_two_leaders_are_killed(tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with kept() as cluster, failing_over(cluster, emulator, tmp_path, monkeypatch) as failover:
        failover.wait_for_writes()

        def killed(number: int) -> str:
            old = cluster.kill()
            failover.wait_for_writes()
            cluster.build(old)
            return f"{old.name} killed, {cluster.primary.name} leads"

        for _ in range(KILLS):
            failover.round(killed)
        print(failover.report())
