"""The disk of a PostgreSQL server fills up, that of its tables or that of its log, which ends the server: both are told."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

import psycopg
import pytest

from alchemy import open_database
from collector.verification import faults
from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.reliability.judge import BILLING

pytestmark = [pytest.mark.reliability, pytest.mark.postgresql]
TABLES_MB, LOG_MB = 160, 80
GROW = "INSERT INTO filled SELECT repeat(md5(random()::text), 200) FROM generate_series(1, 4000)"


class Full(NamedTuple):
    """A server whose disks are small, and the disk that is filled."""

    cluster: databases.Cluster
    disk: Path

    def fill(self, *, but: int) -> None:
        (self.disk / "filler").write_bytes(bytes(max(0, shutil.disk_usage(self.disk).free - but)))

    def make_room(self) -> None:
        (self.disk / "filler").unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    mounted = subprocess.run(f"mount -t tmpfs -o size={megabytes}m tmpfs {folder}".split(), capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small() -> Iterator[Callable[[str], Full]]:
    """Start a server on small disks; what is filled is the disk of its `tables`, or of its `log`."""
    programs = databases.programs()
    if programs is None:
        pytest.skip(databases.MISSING)
    with ExitStack() as stack:

        def start(what: str) -> Full:
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True))
            )
            stack.enter_context(small_disk(folder, TABLES_MB))
            cluster = databases.Cluster(programs, folder)
            cluster.start()
            cluster.end_with(os.getpid())
            stack.callback(_stop, cluster)
            if what == "tables":
                return Full(cluster, folder)
            (disk := folder / "log-disk").mkdir()
            stack.enter_context(small_disk(disk, LOG_MB))
            _move_log(cluster, disk)
            return Full(cluster, disk)

        yield start


def _stop(cluster: databases.Cluster) -> None:
    if (cluster.data / "postmaster.pid").exists():
        cluster.run("pg_ctl", "-D", cluster.data, "-m", "immediate", "-s", "stop")


def _go_on(cluster: databases.Cluster) -> None:
    options = f"-p {cluster.port} -k {cluster.folder} -h 127.0.0.1 -c fsync=off -c max_connections=100"
    cluster.run("pg_ctl", "-D", cluster.data, "-w", "-s", "-l", cluster.folder / "log", "-o", options, "start")


def _move_log(cluster: databases.Cluster, disk: Path) -> None:
    _stop(cluster)
    own, moved = cluster.data / "pg_wal", disk / "pg_wal"
    shutil.copytree(own, moved)
    subprocess.run(["chown", "-R", f"--reference={cluster.data}", str(disk)], check=True)
    shutil.rmtree(own)
    own.symlink_to(moved)
    _go_on(cluster)


def grow(url: str) -> NoReturn:
    while True:
        databases.asked(url, GROW)


def asked_for_everything(server: Server, *, rounds: int) -> set[str]:
    """Ask and change, and return the reasons of what was refused: each is a 503 that says when to try again."""
    refused = set[str]()
    for number in range(rounds):
        requests = [
            ("PUT", f"/tags/tag{number}"),
            *(("GET", path) for path in ("/tweets", "/readyz", "/view/health", "/database")),
        ]
        for method, path in requests:
            answer = server.request(method, path)
            if not answer.ok and answer.status_code != 409:
                assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True), answer.text
                refused.add(answer.json()["detail"])
    return refused


@pytest.mark.parametrize(
    ("what", "said", "rounds"),
    [("tables", "the disk of the database is full", 3), ("log", "no primary of the database answers, connection refused", 1)],
)
def test_a_full_disk_is_told_and_all_goes_on_when_there_is_room(
    what: str, said: str, rounds: int, small: Callable[[str], Full], emulator: Emulator, tmp_path: Path
) -> None:
    full = small(what)
    url = full.cluster.url_of("tweets")
    settings = environment(tmp_path, emulator) | {"DATABASE_URL": url, "TW_NUMBER": "300", "CACHE_MB": "0"}
    with serving(tmp_path, **settings) as server:
        databases.asked(url, "CREATE TABLE filled (text text)")
        full.fill(but=200_000 if what == "tables" else 0)
        with pytest.raises(psycopg.Error):
            grow(url)
        assert any(said in reason for reason in asked_for_everything(server, rounds=rounds))
        full.make_room()
        if what == "log":
            _stop(full.cluster)
            _go_on(full.cluster)
        databases.asked(url, "DROP TABLE filled")
        databases.asked(url, "UPDATE leases SET expires = 0")
        server.until(lambda: server.get("/database").status_code == 200)
        log = server.log.read_text()
    assert "Traceback" not in log
    with closing(open_database(url)) as database:
        assert faults(database, BILLING) == []
    assert emulator.ledger.twice() == {}
