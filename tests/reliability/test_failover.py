"""Whatever becomes of the primary of a cluster: what was acknowledged is there, once, and was paid for once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from emulator import Emulator
from tests.reliability.failover import Failover, failing_over
from tests.reliability.losses import Losses
from tests.reliability.places import in_namespaces, namespaces_possible, on_loopback
from tests.reliability.replication import servers

pytestmark = [pytest.mark.reliability, pytest.mark.postgresql]
ROUNDS = int(os.environ.get("FAILOVER_ROUNDS", "12"))


def test_a_primary_that_is_killed_or_paused_takes_nothing_along(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with servers(on_loopback()) as cluster, failing_over(cluster, emulator, tmp_path, monkeypatch) as failover:
        failover.wait_for_writes()
        losses = Losses(cluster)
        failover.round(losses.kill)
        failover.round(losses.pause)
        print(failover.report())


@pytest.mark.slow
def test_kills_pauses_and_partitions(tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    if not namespaces_possible():
        pytest.skip("network namespaces need root and iproute2: apt-get install iproute2")
    with (
        in_namespaces() as places,
        servers(places) as cluster,
        failing_over(cluster, emulator, tmp_path, monkeypatch, instances=2) as failover,
    ):
        failover.wait_for_writes()
        losses = Losses(cluster)
        ways = (losses.kill, losses.pause, losses.part, losses.outlive)
        for number in range(ROUNDS):
            failover.round(ways[number % len(ways)], number // len(ways))
        print(failover.report())


@pytest.mark.slow
def test_asynchronous_replicas_lose_what_was_acknowledged(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger must be able to find what it looks for: a standby is promoted that had not received for a while."""
    with servers(on_loopback(), quorum="") as cluster, failing_over(cluster, emulator, tmp_path, monkeypatch) as failover:
        failover.wait_for_writes()
        lose(failover)
        lost = [fault for fault in failover.ledger.wrong if "lost" in fault]
        print(f"{len(lost)} times something was found to be lost, such as", *lost[:4], sep="\n")
        assert any("tweets lost that were shown" in fault for fault in lost)


def lose(failover: Failover) -> None:
    cluster = failover.servers
    late, other = cluster.standbys()
    time.sleep(3)
    receiver = late.receiver()
    os.kill(receiver, signal.SIGSTOP)
    time.sleep(4)
    failover.wait_for_writes()
    cluster.primary.kill()
    os.kill(receiver, signal.SIGTERM)  # it ends before it reads what has arrived
    os.kill(receiver, signal.SIGCONT)
    other.kill()
    old = cluster.promote(late)
    for node in (old, other):
        cluster.build(node)
    time.sleep(4)
    with failover.quiet():
        failover.check()
