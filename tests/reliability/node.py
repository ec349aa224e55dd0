"""One server of a cluster of PostgreSQL, and what can be done to it. Everything goes by process id."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.fixtures import databases
from tests.fixtures.waiting import wait_until
from tests.reliability.places import Place

DATABASE = "tweets"


class Node:
    """One server: its name in the cluster, its place, and its folder."""

    def __init__(self, programs: Path, folder: Path, name: str, place: Place) -> None:
        self.name, self.place, self._programs = name, place, programs
        self.data, self._log = folder / name, folder / f"{name}.log"

    def run(self, program: str, *arguments: Any) -> None:
        """Run one of PostgreSQL's programs where the server is."""
        command = [*self.place.command, *_as_postgres(), str(self._programs / program), *map(str, arguments)]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def start(self, *settings: str) -> None:
        own = (f"listen_addresses={self.place.host}", f"cluster_name={self.name}", *settings)
        where = " ".join([f"-p {self.place.port}", *(f"-c {one}" for one in own)])
        self.run("pg_ctl", "-D", self.data, "-w", "-s", "-l", self._log, "-o", where, "start")

    def asked(self, sql: str, *values: Any, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Return the rows of a statement to this server; raises psycopg.Error."""
        with closing(psycopg.connect(self.address(database), autocommit=True)) as connection:
            cursor = connection.execute(sql, values)
            return [] if cursor.description is None else cursor.fetchall()

    @property
    def url(self) -> str:
        """The URL of its database alone."""
        return f"postgresql+psycopg://{databases.USER}@{self.place.host}:{self.place.port}/{DATABASE}"

    def address(self, database: str = DATABASE) -> str:
        place = f"host={self.place.host} port={self.place.port}"
        return f"{place} user={databases.USER} dbname={database} connect_timeout=2 application_name=judge"

    def pids(self) -> list[int]:
        """Return the process ids of the server, its first process first; none where it doesn't run."""
        with suppress(OSError):
            first = int((self.data / "postmaster.pid").read_text().split()[0])
            children = Path(f"/proc/{first}/task/{first}/children").read_text()
            return [first, *map(int, children.split())]
        return []

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the server: to the first one first, so that it starts no more."""
        for _ in range(2):
            for pid in self.pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def kill(self) -> None:
        """End all processes of the server at once, also while they are stopped."""
        pids = self.pids()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(_lives(pid) for pid in pids))
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # or its number may soon be another's

    def receiver(self) -> int:
        """Return the process id of what receives from the primary."""
        ((pid,),) = self.asked("SELECT pid FROM pg_stat_wal_receiver")
        return int(pid)


def _as_postgres() -> list[str]:
    """The server refuses to run as root."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def _lives(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
