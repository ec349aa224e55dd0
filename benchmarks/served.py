"""What benchmarks share: the app in a process of its own, on a port of loopback that nobody listens on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import requests

ROOT = Path(__file__).resolve().parent.parent


class Served(NamedTuple):
    """A service that answers, and the process id of its parent."""

    url: str
    parent: int

    @property
    def worker(self) -> int:
        """The process id of its first worker."""
        return int(Path(f"/proc/{self.parent}/task/{self.parent}/children").read_text().split()[0])


@contextmanager
def served(database: Path, *command: str, **settings: str) -> Iterator[Served]:
    """Serve `database` by `python app.py`, or by another command of Python's, and stop at the end."""
    port = free_port()
    own = {"DATABASE_URL": f"sqlite:///{database}", "PORT": str(port), "COLLECT_ON_START": "0"}
    line, variables = [sys.executable, *(command or ("app.py",))], os.environ | own | settings
    with subprocess.Popen(line, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/livez")
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
    """Return when the URL answers; gives up after ten seconds."""
    for _ in range(100):
        try:
            requests.get(url, timeout=1)
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise SystemExit("the service did not start")
