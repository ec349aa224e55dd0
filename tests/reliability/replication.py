"""A primary and standbys of PostgreSQL: how they are made, how one is promoted, and how one is built anew."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest

from tests.fixtures import databases
from tests.fixtures.waiting import wait_until
from tests.reliability.node import DATABASE, Node
from tests.reliability.places import Place

NAMES = ("one", "two", "three")
QUORUM = f"ANY 1 ({', '.join(NAMES)})"
"""By name: with `*` a pg_basebackup that happens to run is a standby, too, which confirms what it may throw away."""
SETTINGS = {
    "fsync": "off",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "wal_keep_size": "256MB",
    "wal_retrieve_retry_interval": "200ms",
    "synchronous_commit": "on",
    "autovacuum_naptime": "5min",
    "unix_socket_directories": "",
}
RECEIVING = "SELECT FROM pg_stat_wal_receiver"
RECEIVED = "SELECT coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'"

S = TypeVar("S", bound="Servers")


class Servers:
    """A primary and its standbys, at most two. `primary` is who writes now; who was killed counts again once built anew."""

    def __init__(self, folder: Path, places: Sequence[Place], *, quorum: str = QUORUM) -> None:
        programs = databases.programs()
        if programs is None:
            pytest.skip(databases.MISSING)
        self.nodes = [Node(programs, folder, *one) for one in zip(NAMES, places, strict=False)]
        self.primary, self._quorum = self.nodes[0], quorum

    @property
    def url(self) -> str:
        """The URL of a service: all of them, of which the one that may write is meant."""
        return f"{self.replica_url}&target_session_attrs=read-write"

    @property
    def replica_url(self) -> str:
        hosts = "&".join(f"host={node.place.host}:{node.place.port}" for node in self.nodes)
        return f"postgresql+psycopg://{databases.USER}@/{DATABASE}?{hosts}&connect_timeout=2"

    def standbys(self) -> list[Node]:
        return [node for node in self.nodes if node is not self.primary]

    def start(self) -> None:
        """Make the primary and its copies."""
        first = self.primary
        first.run("initdb", "-D", first.data, "-A", "trust", "-U", databases.USER, "--no-sync", "-E", "UTF8", "--wal-segsize=4")
        settings = SETTINGS | {"synchronous_standby_names": ""}
        with (first.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        with (first.data / "pg_hba.conf").open("a") as file:
            file.writelines(f"host {what} all 0.0.0.0/0 trust\n" for what in ("all", "replication"))
        first.start()
        first.asked(f"CREATE DATABASE {DATABASE} LOCALE 'C.UTF-8' TEMPLATE template0", database="postgres")
        for node in self.standbys():
            self.build(node)
        first.asked(f"ALTER SYSTEM SET synchronous_standby_names = '{self._quorum}'")
        first.asked("SELECT pg_reload_conf()")
        self.wait_for(*self.standbys())

    def build(self, node: Node) -> None:
        """Make a standby of a node that doesn't run; whatever it had is gone."""
        shutil.rmtree(node.data, ignore_errors=True)
        node.run("pg_basebackup", "-D", node.data, "-d", self._source(node), "-R", "-c", "fast", "--no-sync", "--no-slot")
        with (node.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"synchronous_standby_names = '{self._quorum}'\n")
        node.start()

    def wait_for(self, *nodes: Node) -> None:
        """Wait until standbys show what the primary has written so far."""
        ((written,),) = self.primary.asked("SELECT pg_current_wal_lsn()")
        for node in nodes:
            wait_until(lambda node=node: self._follows(node, written))  # type: ignore[misc]

    def _follows(self, node: Node, written: str) -> bool:
        """Tell whether a standby shows so much, and counts in the quorum."""
        kind = "quorum" if self._quorum else "async"
        known = "SELECT count(*) FROM pg_stat_replication WHERE application_name = %s AND sync_state = %s"
        shown = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        return bool(self.primary.asked(known, node.name, kind)[0][0] and node.asked(shown, written)[0][0])

    def farthest(self) -> Node:
        """Let the standbys receive and confirm nothing more, and return who has received most."""
        for node in self.standbys():
            self._receive(node, "")
            wait_until(lambda node=node: not node.asked(RECEIVING))  # type: ignore[misc]
        return max(self.standbys(), key=lambda node: node.asked(RECEIVED)[0][0])

    def promote(self, node: Node) -> Node:
        """Make a standby the primary and let the other follow it; returns the old primary."""
        old, others = self.primary, [one for one in self.standbys() if one is not node]
        ((done,),) = node.asked("SELECT pg_promote(true, 30)", database="postgres")
        assert done, f"{node.name} was not promoted"
        self.primary = node
        for other in others:
            if other.pids():
                self._receive(other, self._source(other))
        return old

    def _receive(self, node: Node, source: str) -> None:
        node.asked(f"ALTER SYSTEM SET primary_conninfo = '{source}'")
        node.asked("SELECT pg_reload_conf()")

    def _source(self, node: Node) -> str:
        at = self.primary.place
        return f"host={at.host} port={at.port} user={databases.USER} application_name={node.name}"

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()


def servers(places: Sequence[Place], *, quorum: str = QUORUM) -> AbstractContextManager[Servers]:
    """Give a cluster at these places until the block ends."""
    return started(lambda folder: Servers(folder, places, quorum=quorum))


@contextmanager
def started(make: Callable[[Path], S]) -> Iterator[S]:
    """Start a cluster in a folder of its own, and show the logs where the block fails; both are gone at the end."""
    with TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        cluster = make(folder)
        try:
            cluster.start()
            yield cluster
        except BaseException:
            for log in sorted(folder.glob("*.log")):
                print(f"== {log.name}", log.read_text(errors="replace")[-2000:], sep="\n")
            raise
        finally:
            cluster.stop()
