"""A PostgreSQL of a benchmark's own, in a folder of its own, on a port of loopback that nobody listens on."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.served import free_port

PROGRAMS = Path(os.environ.get("POSTGRESQL_PROGRAMS") or "/usr/lib/postgresql/15/bin")
USER = "app"


class Cluster:
    """A server in a folder, which keeps its data between runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()

    def url(self, name: str) -> str:
        """Return the URL by which the service reaches a database."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{name}"

    def connection(self, name: str) -> psycopg.Connection[Any]:
        """Connect to a database, outside of any transaction."""
        return psycopg.connect(self.url(name).replace("+psycopg", ""), autocommit=True)

    def make(self, name: str) -> bool:
        """Make a database unless it is there, and tell whether it was made."""
        with self.connection("postgres") as connection, suppress(psycopg.errors.DuplicateDatabase):
            connection.execute(f'CREATE DATABASE "{name}"')
            return True
        return False

    def start(self, *settings: str) -> None:
        """Start the server with these settings, and make the cluster first where there is none."""
        if not (self.folder / "data").exists():
            self._own()
            self._run("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C.UTF-8")
        options = " ".join([f"-p {self.port} -k {self.folder} -h 127.0.0.1", *(f"-c {one}" for one in settings)])
        self._control("-w", "-l", f"{self.folder}/log", "-o", options, "start")

    def stop(self) -> None:
        """Stop the server; its data stays."""
        self._control("-m", "fast", "-w", "stop")

    def _own(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-s", "-t", "600", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, as the user postgres where this one is root: the server refuses that."""
        own = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run([*own, str(PROGRAMS / program), *arguments], cwd="/", stdout=subprocess.DEVNULL, check=True)


@contextmanager
def running(folder: Path, *settings: str) -> Iterator[Cluster]:
    """Run a server until the block ends."""
    cluster = Cluster(folder)
    cluster.start(*settings)
    try:
        yield cluster
    finally:
        cluster.stop()
