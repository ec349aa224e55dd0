"""What benchmarks share: servers in processes of their own, each on a port of loopback that nobody listens on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import requests

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 30


class Served(NamedTuple):
    """A server that answers, and the process id of its parent."""

    url: str
    parent: int

    @property
    def worker(self) -> int:
        """The process id of its first worker."""
        return int(Path(f"/proc/{self.parent}/task/{self.parent}/children").read_text().split()[0])


@contextmanager
def served(database: Path | str, *command: str, **settings: str) -> Iterator[Served]:
    """Serve `database`, a SQLite file or a URL, by `python app.py`, or by another command of Python's, and stop at the end."""
    port = free_port()
    url = f"sqlite:///{database}" if isinstance(database, Path) else database
    own = {"DATABASE_URL": url, "PORT": str(port), "COLLECT_ON_START": "0"}
    with running([sys.executable, *(command or ("app.py",))], port, **own | settings) as server:
        wait_for(f"{server.url}/livez")
        yield server


@contextmanager
def hosted(app: str, **variables: str) -> Iterator[Served]:
    """Serve another WSGI app, MODULE:FACTORY, as the service is served, and stop at the end."""
    port = free_port()
    with running(host_command(app, port), port, **variables) as server:
        wait_for(server.url)
        yield server


def host_command(app: str, port: int) -> list[str]:
    """Return the command that serves MODULE:FACTORY as the service is served."""
    return [sys.executable, str(ROOT / "benchmarks" / "hosting.py"), app, str(port)]


@contextmanager
def running(command: Sequence[str], port: int, **variables: str) -> Iterator[Served]:
    """Run a server that will listen on a port of loopback, and stop it at the end."""
    null = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | variables, stdout=null, stderr=null) as server:
        try:
            yield Served(f"http://127.0.0.1:{port}", server.pid)
        finally:
            server.terminate()
            server.wait()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for(url: str) -> None:
    """Return when the URL answers, whatever it does; gives up after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            requests.get(url, timeout=PATIENCE_S)
            return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise SystemExit("a server did not start")
