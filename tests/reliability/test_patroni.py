"""Patroni and etcd decide who is the primary: what was acknowledged survives two leaders. Run by make torture-ha."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.environment import ROOT
from tests.fixtures.processes import free_port
from tests.fixtures.waiting import wait_until
from tests.reliability.cluster import DATABASE, MAKE_DATABASE, SETTINGS, Node, Place, Servers, on_loopback
from tests.reliability.test_failover import failing_over

pytestmark = pytest.mark.reliability
PATRONI = ROOT / "build" / "patroni" / "bin" / "patroni"
TTL_S, LOOP_WAIT_S, RETRY_TIMEOUT_S = 20, 5, 5
"""A leader is missed after TTL_S; Patroni wants it to be at least LOOP_WAIT_S + 2 * RETRY_TIMEOUT_S."""
LONGEST_START_S, LONGEST_FAILOVER_S = 120, 90


class Kept(Servers):
    """Three servers, each started by a Patroni of its own, in quorum commit."""

    def __init__(self, folder: Path, places: Sequence[Place]) -> None:
        super().__init__(folder, places)
        self._etcd_port, self._running = free_port(), dict[str, subprocess.Popen[bytes]]()

    def start(self) -> None:
        at, peers = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{free_port()}"
        own = ("--listen-client-urls", at, "--advertise-client-urls", at, "--listen-peer-urls", peers)
        peer = ("--initial-advertise-peer-urls", peers, "--initial-cluster", f"etcd={peers}", "--name", "etcd")
        self._run("etcd", "etcd", "--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync", *own, *peer)
        for node in self.nodes:
            self._keep(node)
        self._find_primary(seconds=LONGEST_START_S)
        self.primary.asked(MAKE_DATABASE, database="postgres")
        wait_until(self._follow, seconds=LONGEST_START_S)

    def kill(self) -> Node:
        """Kill the leader's Patroni and all processes of its server, and wait for the next leader; returns the old one."""
        old = self.primary
        keeper = self._running.pop(old.name)
        keeper.kill()
        old.kill()
        keeper.wait()
        self._find_primary(seconds=LONGEST_FAILOVER_S, but=old)
        return old

    def build(self, node: Node) -> None:
        """Let Patroni make a standby of a node again, and wait until it counts."""
        self._keep(node)
        wait_until(self._follow, seconds=LONGEST_START_S)

    def stop(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
        super().stop()

    def _keep(self, node: Node) -> None:
        file = self.folder / f"{node.name}.yml"
        file.write_text(json.dumps(self._settings(node)))  # JSON is YAML
        self._run(node.name, str(PATRONI), str(file))

    def _run(self, name: str, *command: str) -> None:
        """Run a program as the user postgres where this one is root."""
        own: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        variables = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        with (self.folder / f"{name}-keeper.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, cwd=self.folder, env=variables, stdout=log, stderr=log, start_new_session=True, **own
            )

    def _settings(self, node: Node) -> dict[str, Any]:
        at, rest = f"{node.place.host}:{node.place.port}", f"127.0.0.1:{free_port()}"
        user = {"username": databases.USER}
        given = {name: value for name, value in SETTINGS.items() if name != "unix_socket_directories"}
        timing = {"ttl": TTL_S, "loop_wait": LOOP_WAIT_S, "retry_timeout": RETRY_TIMEOUT_S}
        quorum = {"synchronous_mode": "quorum", "synchronous_mode_strict": True, "synchronous_node_count": 1}
        return {
            "scope": DATABASE,
            "name": node.name,
            "restapi": {"listen": rest, "connect_address": rest},
            "etcd3": {"host": f"127.0.0.1:{self._etcd_port}"},
            "bootstrap": {
                "dcs": {**timing, **quorum, "postgresql": {"use_pg_rewind": True, "parameters": given}},
                "initdb": [{"encoding": "UTF8"}, {"auth": "trust"}, {"wal-segsize": "4"}, "no-sync"],
            },
            "postgresql": {
                "listen": at,
                "connect_address": at,
                "data_dir": str(node.data),
                "bin_dir": str(databases.programs()),
                "pgpass": str(self.folder / f"{node.name}.pgpass"),
                "authentication": {"superuser": user, "replication": user, "rewind": user},
                "pg_hba": [f"host {what} all 127.0.0.1/32 trust" for what in ("all", "replication")],
                "parameters": {"unix_socket_directories": str(self.folder)},
                "basebackup": [{"checkpoint": "fast"}, "no-sync"],
                "remove_data_directory_on_diverged_timelines": True,
            },
        }

    def _find_primary(self, *, seconds: float, but: Node | None = None) -> None:
        def found() -> Node | None:
            for node in self.nodes:
                with suppress(psycopg.Error):
                    if node is not but and node.asked("SELECT NOT pg_is_in_recovery()", database="postgres")[0][0]:
                        return node
            return None

        self.primary = wait_until(found, seconds=seconds)

    def _follow(self) -> bool:
        with suppress(psycopg.Error):
            return self.all_follow()
        return False


@pytest.mark.ha
@pytest.mark.skipif(not PATRONI.exists() or shutil.which("etcd") is None, reason="needs Patroni and etcd-server")
def test_two_leaders_are_killed(tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with Kept.running(on_loopback()) as cluster, failing_over(cluster, emulator, tmp_path, monkeypatch) as failover:

        def kill(_cluster: Servers, _turn: int) -> str:
            old = cluster.kill()
            failover.wait_for_writes()
            cluster.build(old)
            return f"{old.name} killed, {cluster.primary.name} leads"

        for _ in range(2):
            failover.round(kill)
