"""Processes of the product and of its baselines; each server listens on a free port of loopback."""

import os
import re
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
JOBS = ("COUNT_EVERY", "RECONCILE_EVERY", "COMPLY_EVERY", "BACKUP_EVERY")
OWN = dict.fromkeys((*JOBS, "MONTHLY_BUDGET_USD"), "off") | {"TWITTER_API_URL": "http://127.0.0.1:9", "COLLECT_ON_START": "0"}
LONGEST_START_S, POLL_S = 60, 0.005


class Server(NamedTuple):
    """A server that answers, and the process id of its parent."""

    url: str
    parent: int

    @property
    def worker(self) -> int:
        """The process id of its first worker."""
        return int(Path(f"/proc/{self.parent}/task/{self.parent}/children").read_text().split()[0])


@contextmanager
def serve(*command: str, **variables: str) -> Iterator[Server]:
    """Runs a server by a Python command, in which PORT is its port, from its first answer to /livez on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    with python(*(part.replace("PORT", port) for part in command), PORT=port, **variables) as process:
        while not _answers(f"{url}/livez"):
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
            time.sleep(POLL_S)
        yield Server(url, process.pid)


def _answers(url: str) -> bool:
    """Whether a server answers, with any status."""
    try:
        return requests.get(url, timeout=LONGEST_START_S) is not None
    except requests.ConnectionError:
        return False


@contextmanager
def emulator(latency_ms: int, tweets: int = 20_000) -> Iterator[str]:
    """Runs an emulator of X with about `tweets` tweets in seven days, and gives its URL."""
    limits = (f"--latency={latency_ms}ms", f"--tweets={tweets}", "--bearer-limit=1000000")
    with serve("-m", "emulator", "--port=PORT", *limits) as server:
        yield server.url


@contextmanager
def python(*command: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a Python command, and stops it at the end."""
    own, null = os.environ | OWN | variables, subprocess.DEVNULL
    with subprocess.Popen([sys.executable, *command], cwd=ROOT, env=own, stdout=null, stderr=null) as process:
        try:
            yield process
        finally:
            process.terminate()


def flask(database_url: str, *command: str) -> None:
    """Runs `flask --app app …` on a database to its end; raises CalledProcessError."""
    run("-m", "flask", "--app", "app", *command, DATABASE_URL=database_url)


def run(*command: str, **variables: str) -> None:
    """Runs a Python command to its end; raises CalledProcessError."""
    own = os.environ | OWN | {"LOG_LEVEL": "error"} | variables
    subprocess.run([sys.executable, *command], cwd=ROOT, env=own, capture_output=True, text=True, check=True)


def memory_mb(pid: int, field: str) -> float:
    """Returns the memory of a process in MB: Pss (proportional), Rss, or the highest so far (VmHWM)."""
    files = (Path(f"/proc/{pid}/{name}").read_text() for name in ("status", "smaps_rollup"))
    return int(dict(re.findall(r"^(\w+):\s+(\d+) kB$", "".join(files), re.MULTILINE))[field]) / 1024
