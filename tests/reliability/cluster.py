"""A primary and standbys of PostgreSQL in quorum commit: made, killed, paused, cut off, promoted, built anew, by process id."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self

import psycopg
import pytest

from tests.fixtures import databases
from tests.fixtures.processes import free_port
from tests.fixtures.waiting import wait_until

DATABASE = "tweets"
MAKE_DATABASE = f"CREATE DATABASE {DATABASE} LOCALE 'C.UTF-8' TEMPLATE template0"
NAMES = ("one", "two", "three")
QUORUM = f"ANY 1 ({', '.join(NAMES)})"
"""By name: with `*` a pg_basebackup that happens to run is a standby, too, which confirms what it may throw away."""
SETTINGS = {
    **{"fsync": "off", "synchronous_commit": "on", "max_connections": "100", "shared_buffers": "32MB"},
    **{"wal_keep_size": "256MB", "wal_retrieve_retry_interval": "200ms", "autovacuum_naptime": "5min"},
    "unix_socket_directories": "",
}


class Place(NamedTuple):
    """An address, the network namespace that has it, and the link to that, which can be cut; both are empty on loopback."""

    host: str
    port: int
    space: str = ""
    link: str = ""


def on_loopback(count: int = 3) -> list[Place]:
    return [Place("127.0.0.1", free_port()) for _ in range(count)]


@contextmanager
def in_namespaces() -> Iterator[list[Place]]:
    """Give three network namespaces that a bridge connects with each other and with this process; all is gone at the end."""
    if os.geteuid() or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2: apt-get install iproute2")
    own, subnet = f"hm{os.getpid() % 1_000_000}", f"10.213.{os.getpid() % 250}"
    places = [Place(f"{subnet}.{number + 11}", 5432, f"{own}n{number}", f"{own}v{number}") for number in range(3)]
    try:
        _ip(f"link add {own} type bridge", f"addr add {subnet}.1/24 dev {own}", f"link set {own} up")
        for host, _, space, link in places:
            _ip(f"netns add {space}", f"link add {link} type veth peer name eth0 netns {space}")
            _ip(f"link set {link} master {own} up", f"-n {space} addr add {host}/24 dev eth0")
            _ip(f"-n {space} link set eth0 up", f"-n {space} link set lo up")
        yield places
    finally:
        _ip(*(f"link del {name}" for name in (own, *(place.link for place in places))), check=False)
        _ip(*(f"netns del {place.space}" for place in places), check=False)


def _ip(*commands: str, check: bool = True) -> None:
    for command in commands:
        done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"ip {command}: {done.stderr}"


class Node:
    """One server: its name in the cluster, its place, and its folder."""

    def __init__(self, programs: Path, folder: Path, name: str, place: Place) -> None:
        self.name, self.place, self._programs = name, place, programs
        self.data, self._log = folder / name, folder / f"{name}.log"

    @property
    def url(self) -> str:
        """The URL of its database alone."""
        return f"postgresql+psycopg://{databases.USER}@{self.place.host}:{self.place.port}/{DATABASE}"

    def run(self, program: str, *arguments: Any) -> None:
        """Run one of PostgreSQL's programs where the server is: not as root, which it refuses."""
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        where = f"ip netns exec {self.place.space}".split() if self.place.space else []
        command = [*where, *user, str(self._programs / program), *map(str, arguments)]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def start(self, *settings: str) -> None:
        own = (f"listen_addresses={self.place.host}", f"cluster_name={self.name}", *settings)
        where = " ".join([f"-p {self.place.port}", *(f"-c {one}" for one in own)])
        self.run("pg_ctl", "-D", self.data, "-w", "-s", "-l", self._log, "-o", where, "start")

    def asked(self, sql: str, *values: Any, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Return the rows of a statement to this server; raises psycopg.Error."""
        place = f"host={self.place.host} port={self.place.port} user={databases.USER} dbname={database} connect_timeout=2"
        with closing(psycopg.connect(place, autocommit=True)) as connection:
            cursor = connection.execute(sql, values)
            return [] if cursor.description is None else cursor.fetchall()

    def configure(self, change: str) -> None:
        self.asked(f"ALTER SYSTEM {change}")
        self.asked("SELECT pg_reload_conf()")

    def pids(self) -> list[int]:
        """Return the process ids of the server, its first process first; none where it doesn't run."""
        with suppress(OSError):
            first = int((self.data / "postmaster.pid").read_text().split()[0])
            children = Path(f"/proc/{first}/task/{first}/children").read_text()
            return [first, *map(int, children.split())]
        return []

    def send(self, number: signal.Signals) -> set[int]:
        """Send a signal to all processes of the server, the first one first, so that it starts no more; returns their ids."""
        sent = set[int]()
        for pid in itertools.chain.from_iterable(self.pids() for _ in range(2)):
            sent.add(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return sent

    def stall(self) -> None:
        """Stop all its processes but the first, as where a disk hangs: it goes on taking connections."""
        for pid in self.pids()[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Stop all its processes but the first until the block ends, also those that it begins."""
        over = threading.Event()

        def stop() -> None:
            while not over.wait(0.005):
                self.stall()

        thread = threading.Thread(target=stop)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.send(signal.SIGCONT)

    def kill(self) -> None:
        """End all processes of the server at once, also while they are stopped."""
        pids = self.send(signal.SIGKILL)
        wait_until(lambda: not any(map(_lives, pids)))
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # or its number may soon be another's

    def cut(self) -> None:
        """Let nothing through any more, in either direction, until it is mended."""
        _ip(f"link set {self.place.link} down")

    def mend(self) -> None:
        _ip(f"link set {self.place.link} up")


def _lives(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class Servers:
    """A primary and its standbys, at most two. `primary` is who writes now; who was killed counts again once built anew."""

    def __init__(self, folder: Path, places: Sequence[Place]) -> None:
        programs = databases.programs()
        if programs is None:
            pytest.skip(databases.MISSING)
        self.folder = folder
        self.nodes = [Node(programs, folder, *one) for one in zip(NAMES, places, strict=False)]
        self.primary = self.nodes[0]

    @classmethod
    @contextmanager
    def running(cls, places: Sequence[Place]) -> Iterator[Self]:
        """Give a cluster at these places until the block ends, and show the logs where that fails."""
        with TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            folder.chmod(0o755)
            if os.geteuid() == 0:
                os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
            cluster = cls(folder, places)
            try:
                cluster.start()
                yield cluster
            except BaseException:
                for log in sorted(folder.glob("*.log")):
                    print(f"== {log.name}", log.read_text(errors="replace")[-2000:], sep="\n")
                raise
            finally:
                cluster.stop()

    @property
    def replica_url(self) -> str:
        hosts = "&".join(f"host={node.place.host}:{node.place.port}" for node in self.nodes)
        return f"postgresql+psycopg://{databases.USER}@/{DATABASE}?{hosts}&connect_timeout=2"

    @property
    def url(self) -> str:
        return f"{self.replica_url}&target_session_attrs=read-write"

    def standbys(self) -> list[Node]:
        return [node for node in self.nodes if node is not self.primary]

    def start(self) -> None:
        """Make the primary and its copies."""
        first = self.primary
        first.run("initdb", "-D", first.data, "-A", "trust", "-U", databases.USER, "--no-sync", "-E", "UTF8", "--wal-segsize=4")
        with (first.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
        with (first.data / "pg_hba.conf").open("a") as file:
            file.writelines(f"host {what} all 0.0.0.0/0 trust\n" for what in ("all", "replication"))
        first.start()
        first.asked(MAKE_DATABASE, database="postgres")
        for node in self.standbys():
            self.build(node)
        first.configure(f"SET synchronous_standby_names = '{QUORUM}'")
        wait_until(self.all_follow)

    def build(self, node: Node) -> None:
        """Make a standby of a node that doesn't run; whatever it had is gone."""
        shutil.rmtree(node.data, ignore_errors=True)
        node.run("pg_basebackup", "-D", node.data, "-d", self._source(node), "-R", "-c", "fast", "--no-sync", "--no-slot")
        with (node.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"synchronous_standby_names = '{QUORUM}'\n")
        node.start()

    def all_follow(self) -> bool:
        """Tell whether each standby shows what the primary has written, and counts in the quorum."""
        ((written,),) = self.primary.asked("SELECT pg_current_wal_lsn()")
        known = self.primary.asked("SELECT application_name FROM pg_stat_replication WHERE sync_state = 'quorum'")
        shown = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        return all((node.name,) in known and node.asked(shown, written)[0][0] for node in self.standbys())

    def farthest(self) -> Node:
        """Let the standbys receive and confirm nothing more, and return who has received most."""
        for node in self.standbys():
            node.configure("SET primary_conninfo = ''")
            wait_until(lambda node=node: not node.asked("SELECT FROM pg_stat_wal_receiver"))  # type: ignore[misc]
        received = "SELECT coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'"
        return max(self.standbys(), key=lambda node: node.asked(received)[0][0])

    def promote(self, node: Node) -> Node:
        """Make a standby the primary and let the other follow it; returns the old primary."""
        old, others = self.primary, [one for one in self.standbys() if one is not node]
        ((done,),) = node.asked("SELECT pg_promote(true, 30)", database="postgres")
        assert done, f"{node.name} was not promoted"
        self.primary = node
        for other in others:
            other.configure(f"SET primary_conninfo = '{self._source(other)}'")
        return old

    def _source(self, node: Node) -> str:
        at = self.primary.place
        return f"host={at.host} port={at.port} user={databases.USER} application_name={node.name}"

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()
